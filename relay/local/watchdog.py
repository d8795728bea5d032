"""Ends the processes of a program that died without ending them itself.

A small process beside the parent does it. A parent-death signal would be tied to the thread that
started a process, and is cleared when that process changes its user.
"""

from __future__ import annotations

import os
import secrets
import select
import subprocess
import sys
import time
from contextlib import suppress
from typing import Final

import psutil

from relay.local.process import ProcessId, kill_family

__all__ = ["guard", "mark"]

_MARK: Final = "OUTBOX_RELAY_GUARDED_BY"
_POLL_SECONDS: Final = 0.5
# A process that was about to start when its parent died has its environment after this time.
_START_SECONDS: Final = 0.5
# By process, so that a fork gets its own watchdog.
_watchdogs: dict[int, tuple[subprocess.Popen[str], str]] = {}


def guard(identity: ProcessId) -> None:
    """Has a process and its descendants killed when the calling process is gone."""
    watchdog, _ = _watchdog()
    assert watchdog.stdin is not None
    watchdog.stdin.write(f"{identity.pid} {identity.started!r} {identity.marker}\n")
    watchdog.stdin.flush()


def mark() -> dict[str, str]:
    """Returns an environment variable: a process started with it is killed when the calling
    process is gone.

    Unlike `guard`, it leaves no moment in which the process runs unguarded. A server that
    overwrites its environment, as PostgreSQL does, needs `guard` too.
    """
    return {_MARK: _watchdog()[1]}


def _watchdog() -> tuple[subprocess.Popen[str], str]:
    """Returns this process's watchdog and the value of the variable that it looks for."""
    watchdog, value = _watchdogs.get(os.getpid(), (None, ""))
    if watchdog is None or watchdog.poll() is not None:
        value = value or secrets.token_hex(8)
        watchdog = subprocess.Popen(
            [sys.executable, "-m", __name__, str(os.getpid()), value],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={name: text for name, text in os.environ.items() if name != _MARK},
            start_new_session=True,
            text=True,
        )
        _watchdogs[os.getpid()] = watchdog, value
    return watchdog, value


def _watch(parent: int, value: str) -> None:
    guarded: set[bytes] = set()
    pending = b""
    alive = True
    while alive:
        alive = os.getppid() == parent
        # Lines that the parent wrote before it died are still in the pipe.
        while select.select([sys.stdin], [], [], _POLL_SECONDS if alive else 0)[0]:
            received = os.read(sys.stdin.fileno(), 65_536)
            if not received:
                alive = False
                break
            *lines, pending = (pending + received).split(b"\n")
            guarded.update(lines)
    for line in guarded:
        pid, started, marker = line.decode().split(" ", 2)
        process = ProcessId(int(pid), float(started), marker).process()
        if process is not None:
            _kill(process)
    _kill_marked(value)
    time.sleep(_START_SECONDS)
    _kill_marked(value)


def _kill_marked(value: str) -> None:
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(_MARK) == value:
                _kill(process)


def _kill(process: psutil.Process) -> None:
    # One that can't be killed must not save the others.
    with suppress(psutil.Error):
        kill_family(process)


if __name__ == "__main__":
    _watch(int(sys.argv[1]), sys.argv[2])
