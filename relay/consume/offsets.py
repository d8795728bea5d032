"""How far a partition is done, when its records are finished in any order."""

from __future__ import annotations

from collections import deque

__all__ = ["Offsets"]


class Offsets:
    """Offsets of one partition: begun in rising order, finished in any.

    Not for several threads at once; whoever owns it holds a lock.
    """

    def __init__(self) -> None:
        self._open: deque[int] = deque()
        self._finished: set[int] = set()
        self._end: int | None = None

    @property
    def unfinished(self) -> int:
        """Number of records that were begun and are not finished."""
        return len(self._open) - len(self._finished)

    def passed(self, offset: int) -> bool:
        """Whether `offset`, or one above it, was read before."""
        return self._end is not None and offset < self._end

    def begin(self, offset: int) -> None:
        """A record was taken up. Raises ValueError unless `offset` is above all before it."""
        self.pass_over(offset)
        self._open.append(offset)

    def pass_over(self, offset: int) -> None:
        """A record was read that nothing is to be done for. Raises ValueError as `begin`."""
        if self._end is not None and self.passed(offset):
            raise ValueError(f"offset {offset} came after {self._end - 1}")
        self._end = offset + 1

    def finish(self, offset: int) -> None:
        """A record that was begun is done, wherever in the row it stands."""
        self._finished.add(offset)
        while self._open and self._open[0] in self._finished:
            self._finished.remove(self._open.popleft())

    def committable(self) -> int | None:
        """The offset to go on from after a crash: nothing below it is unfinished.

        None before anything was read. Gaps (aborted records, markers) are passed with the
        record behind them.
        """
        return self._open[0] if self._open else self._end
