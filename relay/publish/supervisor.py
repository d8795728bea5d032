"""Keeps worker processes running: one that dies is started again at once."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

__all__ = ["Supervisor"]

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.05
_STOP_SECONDS = 30.0
# A worker that ends within this time is not started again at once, but ever more slowly.
_SOON_SECONDS = 2.0
_LONGEST_PAUSE = 10.0
_PR_SET_PDEATHSIG = 1
_BAD_USE = 2


class Supervisor:
    """Runs one command several times over.

    A worker ends with 0 when there is nothing left to do, with 2 when a person has to look; then
    all are ended. With any other status, or by a signal, it is started again.
    """

    def __init__(self, command: Sequence[str], workers: int) -> None:
        self._command = list(command)
        self._workers = workers
        self._stop = threading.Event()

    def stop(self) -> None:
        """Asks for the end: all workers get SIGTERM and time to hand over."""
        self._stop.set()

    def run(self) -> int:
        """Works until stopped or until all workers ended by themselves; the exit status."""
        running = [self._start() for _ in range(self._workers)]
        started = [time.monotonic()] * self._workers
        pauses = [0.0] * self._workers
        due: dict[int, float] = {}
        status = 0
        while not self._stop.is_set() and (due or any(p.poll() is None for p in running)):
            self._stop.wait(_PAUSE_SECONDS)
            now = time.monotonic()
            for number, process in enumerate(running):
                if process.poll() in (None, 0):
                    continue
                if process.returncode == _BAD_USE:
                    status = _BAD_USE
                    self._stop.set()
                elif number not in due:
                    quick = now - started[number] < _SOON_SECONDS
                    pauses[number] = (
                        min(max(pauses[number] * 2, 0.25), _LONGEST_PAUSE) if quick else 0.0
                    )
                    due[number] = now + pauses[number]
                    log.warning("worker %d ended with status %d", number, process.returncode)
                elif now >= due[number]:
                    del due[number]
                    running[number] = self._start()
                    started[number] = now
        self._end(running)
        return status

    def _start(self) -> subprocess.Popen[bytes]:
        # A worker whose supervisor is gone would keep its seat and its shards.
        parent = os.getpid()
        libc = ctypes.CDLL(None) if sys.platform == "linux" else None

        def die_with_parent() -> None:
            if libc is not None:
                libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
                if os.getppid() != parent:
                    os._exit(0)

        # This process has one thread, so nothing can hold a lock over the fork.
        return subprocess.Popen(self._command, preexec_fn=die_with_parent)  # noqa: PLW1509

    @staticmethod
    def _end(running: Sequence[subprocess.Popen[bytes]]) -> None:
        for process in running:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("worker %d did not end in time and is killed", process.pid)
                process.kill()
                process.wait()
