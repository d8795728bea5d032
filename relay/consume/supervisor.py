"""One process a group, started again when it dies."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["PARENT", "supervise", "watch_parent"]

log = logging.getLogger(__name__)

# Tells a group's process which process to end with.
PARENT: Final = "EVENT_BUS_SUPERVISOR_PID"

BAD_USE: Final = 2
CHECK_S: Final = 0.1
STOP_PATIENCE_S: Final = 20.0
STABLE_S: Final = 10.0
LONGEST_PAUSE_S: Final = 5.0


@dataclass
class _Child:
    """A group's process. pause: seconds before the next start; due: monotonic time of it."""

    group: str
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = 0.1
    due: float = 0.0
    settled: bool = False
    ended: bool = False


def supervise(groups: Sequence[str], *, until_idle: bool, stop: threading.Event) -> int:
    """Runs `relay consume GROUP` for each of `groups` until `stop` is set; the exit code.

    A process that dies is started again after a pause that grows to 5 s. One that ends with 2,
    bad use, soon after its first start ends all; later the broker may be away for a while.
    until_idle: each process ends when its group is idle, then this does.
    """
    children = [_Child(group) for group in groups]
    worst = 0
    try:
        while not stop.is_set() and not all(child.ended for child in children):
            for child in children:
                worst = max(worst, _look_after(child, until_idle))
            if worst == BAD_USE:
                break
            stop.wait(CHECK_S)
    finally:
        _end([child.process for child in children if child.process is not None])
    return worst


def watch_parent(stop: threading.Event) -> None:
    """In a group's process: sets `stop` when the supervisor is gone, killed or not."""
    parent = os.environ.get(PARENT)
    if parent is None:
        return

    def watch() -> None:
        while not stop.wait(0.5):
            if os.getppid() != int(parent):
                log.warning("the supervisor is gone, this process ends too")
                stop.set()

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


def _look_after(child: _Child, until_idle: bool) -> int:
    """Starts the group's process if it is due; 2 if it ended with bad use, otherwise 0."""
    now = time.monotonic()
    if child.ended:
        return 0
    if child.process is None:
        if now >= child.due:
            child.process = _start(child.group, until_idle)
            child.started = now
        return 0
    code = child.process.poll()
    if code is None:
        return 0
    child.settled = child.settled or now - child.started > STABLE_S
    if code == BAD_USE and not child.settled:
        child.ended = True
        return BAD_USE
    if code == 0 and until_idle:
        child.ended = True
        return 0
    child.pause = 0.1 if now - child.started > STABLE_S else min(child.pause * 2, LONGEST_PAUSE_S)
    child.due = now + child.pause
    child.process = None
    log.warning("group %s ended with %s, starts again in %.1f s", child.group, code, child.pause)
    return 0


def _start(group: str, until_idle: bool) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "relay.cli.main", "consume", group]
    if until_idle:
        command.append("--until-idle")
    return subprocess.Popen(
        command,
        env={**os.environ, PARENT: str(os.getpid())},
        stdin=subprocess.DEVNULL,
        # Signals from the terminal go to the supervisor, which passes them on once.
        start_new_session=True,
    )


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_PATIENCE_S
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("process %d did not stop in time and is killed", process.pid)
            process.kill()
            process.wait()
