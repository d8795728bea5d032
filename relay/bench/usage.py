"""Measures CPU time and memory of processes, including all of their children."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from relay.local.process import family

__all__ = ["CpuTime", "PeakMemory"]

_POLL_SECONDS = 0.2


class CpuTime:
    """CPU seconds that processes use from now on.

    processes: roots by name; None where the process is not known.
    """

    def __init__(self, processes: Mapping[str, psutil.Process | None]) -> None:
        self._processes = processes
        self._before = self._read()

    def used(self, per: float = 1.0, digits: int = 2) -> dict[str, float | None]:
        """Returns the seconds by name, divided by `per`; None if the process is gone or unknown."""
        now, before = self._read(), self._before
        return {
            name: round((now[name] - before[name]) / per, digits)
            if per > 0 and name in now and name in before
            else None
            for name in self._processes
        }

    def _read(self) -> dict[str, float]:
        return {
            name: sum(_cpu_seconds(member) for member in family(root))
            for name, root in self._processes.items()
            if root is not None and root.is_running()
        }


class PeakMemory:
    """Largest resident memory in MB that any process below `root` ever had."""

    def __init__(self, root: psutil.Process) -> None:
        self._root = root
        self.megabytes = 0.0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Polls the processes in a thread during the block."""
        done = threading.Event()

        def poll() -> None:
            self._update()
            while not done.wait(_POLL_SECONDS):
                self._update()

        thread = threading.Thread(target=poll, name="peak-memory", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _update(self) -> None:
        for process in family(self._root):
            try:
                self.megabytes = max(self.megabytes, _peak(process) / 2**20)
            except (psutil.Error, OSError):
                continue


def _cpu_seconds(process: psutil.Process) -> float:
    """Includes children that the process has reaped."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0  # its parent counts its time from now on
    return float(times.user + times.system + times.children_user + times.children_system)


def _peak(process: psutil.Process) -> int:
    """Returns the kernel's peak in bytes (VmHWM) on Linux, elsewhere the current size."""
    if sys.platform == "linux":
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return 0
    return int(process.memory_info().rss)
