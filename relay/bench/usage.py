"""CPU time and memory of processes, with all of their children."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

__all__ = ["PeakMemory", "cpu_seconds"]

_LOOK_SECONDS = 0.2


def cpu_seconds(root: psutil.Process | None) -> float | None:
    """CPU seconds of `root` and all of its descendants, those that it has reaped included.

    None when there is no such process.
    """
    if root is None:
        return None
    total = 0.0
    try:
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return None
    for process in family:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue  # its parent has its time from now on
        total += times.user + times.system + times.children_user + times.children_system
    return total


class PeakMemory:
    """Largest resident memory in MB that one of `root`'s processes ever had."""

    def __init__(self, root: psutil.Process) -> None:
        self._root = root
        self.megabytes = 0.0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Looks again and again in a thread of its own."""
        done = threading.Event()

        def look() -> None:
            while not done.wait(_LOOK_SECONDS):
                self.look()

        thread = threading.Thread(target=look, name="peak-memory", daemon=True)
        self.look()
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def look(self) -> None:
        """Looks once."""
        try:
            family = [self._root, *self._root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for process in family:
            try:
                self.megabytes = max(self.megabytes, _peak(process) / 2**20)
            except (psutil.Error, OSError):
                continue


def _peak(process: psutil.Process) -> int:
    """Bytes; on Linux the peak that the kernel keeps (VmHWM), elsewhere what it is now."""
    if sys.platform == "linux":
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return 0
    return int(process.memory_info().rss)
