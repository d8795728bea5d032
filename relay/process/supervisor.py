"""Keeps the processes of a command running and restarts those that end."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from relay.process.backoff import Backoff

__all__ = ["supervise", "watch_parent"]

log = logging.getLogger(__name__)

# Environment variable with the pid of the supervisor, which a process ends with.
PARENT: Final = "EVENT_BUS_SUPERVISOR_PID"

BAD_USE: Final = 2
CHECK_S: Final = 0.05
STOP_PATIENCE_S: Final = 30.0
# A process that lived this long has started well: its configuration is not bad.
SOUND_S: Final = 10.0
BACKOFF: Final = Backoff(initial=timedelta(seconds=0.1), maximum=timedelta(seconds=10))


@dataclass
class _Child:
    """One supervised process. due: when to start it, by time.monotonic()."""

    name: str
    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    failures: int = 0
    was_sound: bool = False
    ended: bool = False


def supervise(
    commands: Mapping[str, Sequence[str]], *, until_idle: bool, stop: threading.Event
) -> int:
    """Runs one `relay` process for each of `commands` (name -> arguments) until `stop` is set.

    A process that ends is restarted: at once if it had lived for ten seconds, else after a pause
    that grows to ten seconds. Returns the exit status: 2 (bad use or bad configuration) ends all,
    unless one of them has lived that long; then it is restarted like any other, so that one never
    ends those that work.
    until_idle: passed on; a process that ends with 0 is not restarted, and this returns after the
    last one.
    """
    option = ["--until-idle"] if until_idle else []
    children = [_Child(name, [*words, *option]) for name, words in commands.items()]
    status = 0
    try:
        while not stop.is_set() and not status and not all(child.ended for child in children):
            for child in children:
                status = max(status, _check(child, until_idle, children))
            stop.wait(CHECK_S)
    finally:
        _end([child.process for child in children if child.process is not None])
    return status


def watch_parent(stop: threading.Event) -> None:
    """Sets `stop` when the supervisor of this process is gone."""
    parent = os.environ.get(PARENT)
    if parent is None:
        return

    def watch() -> None:
        while not stop.wait(0.5):
            if os.getppid() != int(parent):
                log.warning("the supervisor is gone, so this process ends")
                stop.set()

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


def _check(child: _Child, until_idle: bool, children: Sequence[_Child]) -> int:
    """Starts the process if it is due; returns 2 if all `children` have to end, otherwise 0."""
    now = time.monotonic()
    if child.ended:
        return 0
    if child.process is None:
        if now >= child.due:
            child.process, child.started = _start(child.arguments), now
        return 0
    code = child.process.poll()
    is_sound = now - child.started > SOUND_S
    child.was_sound = child.was_sound or is_sound
    if code is None:
        return 0
    if code == 0 and until_idle:
        child.ended = True
        return 0
    if code == BAD_USE and not any(each.was_sound for each in children):
        child.ended = True
        return BAD_USE
    child.failures = 0 if is_sound else child.failures + 1
    pause = BACKOFF.after(child.failures).total_seconds() if child.failures else 0.0
    child.process, child.due = None, now + pause
    log.warning("%s ended with status %s and is restarted in %.1f s", child.name, code, pause)
    return 0


def _start(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "relay.cli.main", *arguments],
        env={**os.environ, PARENT: str(os.getpid())},
        stdin=subprocess.DEVNULL,
        # The terminal signals only the supervisor, which passes signals on.
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
