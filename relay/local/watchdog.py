"""Ends the servers of a process that died without ending them itself.

A parent-death signal would be tied to the thread that started a server and is cleared when the
server changes its user; a small process beside the parent has neither fault.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
from pathlib import Path

import psutil

from relay.local.process import ProcessId, kill_family

__all__ = ["guard", "remove_afterwards"]

_POLL_SECONDS = 0.5
_watchdogs: dict[int, subprocess.Popen[str]] = {}


def guard(identity: ProcessId) -> None:
    """Has `identity` and its descendants killed when the calling process is gone."""
    _tell(f"kill {identity.pid} {identity.started!r} {identity.marker}")


def remove_afterwards(folder: Path) -> None:
    """Has `folder` removed when the calling process is gone."""
    _tell(f"remove {folder}")


def _tell(line: str) -> None:
    # By process, so that a fork gets a watchdog of its own instead of its parent's.
    watchdog = _watchdogs.get(os.getpid())
    if watchdog is None or watchdog.poll() is not None:
        watchdog = subprocess.Popen(
            [sys.executable, "-m", __name__, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        _watchdogs[os.getpid()] = watchdog
    assert watchdog.stdin is not None
    watchdog.stdin.write(line + "\n")
    watchdog.stdin.flush()


def _watch(parent: int) -> None:
    orders: set[str] = set()
    pending = b""
    alive = True
    while alive:
        alive = os.getppid() == parent
        # What was said before the parent died is still in the pipe.
        while select.select([sys.stdin], [], [], _POLL_SECONDS if alive else 0)[0]:
            received = os.read(sys.stdin.fileno(), 65_536)
            if not received:
                alive = False
                break
            *lines, pending = (pending + received).split(b"\n")
            orders.update(line.decode() for line in lines)
    # Servers first: a folder can't be removed for good while its server writes to it.
    for order in sorted(orders):
        word, _, rest = order.partition(" ")
        if word == "kill":
            pid, started, marker = rest.split(" ", 2)
            process = ProcessId(int(pid), float(started), marker).process()
            if process is not None:
                kill_family(process)
        else:
            shutil.rmtree(rest, ignore_errors=True)


if __name__ == "__main__":
    try:
        _watch(int(sys.argv[1]))
    except psutil.Error as error:
        raise SystemExit(f"watchdog: {error}") from None
