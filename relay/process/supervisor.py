"""Keeps the processes of a command running: one that dies is started again."""

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
from typing import Final

__all__ = ["supervise", "watch_parent"]

log = logging.getLogger(__name__)

# Tells a process which process to end with.
PARENT: Final = "EVENT_BUS_SUPERVISOR_PID"

BAD_USE: Final = 2
CHECK_S: Final = 0.05
STOP_PATIENCE_S: Final = 30.0
# A process that lived for so long began well: what ends it later is no bad configuration of all.
SOUND_S: Final = 10.0
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 10.0


@dataclass
class _Child:
    """One process. pause: seconds before the next start; due: monotonic time of it."""

    name: str
    words: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = 0.0
    due: float = 0.0
    was_sound: bool = False
    ended: bool = False


def supervise(
    commands: Mapping[str, Sequence[str]], *, until_idle: bool, stop: threading.Event
) -> int:
    """Runs `relay WORDS...` for each of `commands` (name -> words) until `stop` is set; the exit
    status.

    until_idle: each gets `--until-idle`, one that ends with 0 has nothing left to do, and this ends
    with the last of them. One that ends otherwise is started again: at once
    if it had lived for ten seconds, else after a pause that grows to ten seconds. Status 2, bad use
    or bad configuration, ends all when it comes from a process that never lived that long; later
    it ends nobody else, since the others may be well.
    """
    children = [_Child(name, words) for name, words in commands.items()]
    status = 0
    try:
        while not stop.is_set() and not status and not all(child.ended for child in children):
            for child in children:
                status = max(status, _look_after(child, until_idle))
            stop.wait(CHECK_S)
    finally:
        _end([child.process for child in children if child.process is not None])
    return status


def watch_parent(stop: threading.Event) -> None:
    """In a supervised process: sets `stop` when the supervisor is gone, killed or not."""
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
    """Starts the process if it is due; 2 if all have to end, otherwise 0."""
    now = time.monotonic()
    if child.ended:
        return 0
    if child.process is None:
        if now >= child.due:
            child.process = _start([*child.words, *(["--until-idle"] if until_idle else [])])
            child.started = now
        return 0
    code = child.process.poll()
    lived = now - child.started
    child.was_sound = child.was_sound or lived > SOUND_S
    if code is None:
        return 0
    if code == 0 and until_idle:
        child.ended = True
        return 0
    if code == BAD_USE and not child.was_sound:
        child.ended = True
        return BAD_USE
    child.pause = (
        0.0 if lived > SOUND_S else min(max(child.pause * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S)
    )
    child.due = now + child.pause
    child.process = None
    log.warning("%s ended with %s, starts again in %.1f s", child.name, code, child.pause)
    return 0


def _start(words: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "relay.cli.main", *words],
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
