"""One assigned partition: the records in work, and the offset to commit."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

from relay.consume.record import Record

__all__ = ["AssignedPartition", "Item", "Offsets"]


class Offsets:
    """Offsets of one partition: begun in rising order, finished in any.

    Not thread-safe: its owner holds a lock.
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
        """Whether `offset`, or a later one, was read before."""
        return self._end is not None and offset < self._end

    def begin(self, offset: int) -> None:
        """A record was given to a lane. Raises ValueError unless `offset` is the highest so far."""
        self.pass_over(offset)
        self._open.append(offset)

    def pass_over(self, offset: int) -> None:
        """A record was read that nothing has to be done for. Raises ValueError as `begin`."""
        if self._end is not None and self.passed(offset):
            raise ValueError(f"offset {offset} came after {self._end - 1}")
        self._end = offset + 1

    def finish(self, offset: int) -> None:
        """A record that was begun is done, whatever is unfinished before it."""
        self._finished.add(offset)
        while self._open and self._open[0] in self._finished:
            self._finished.remove(self._open.popleft())

    def committable(self) -> int | None:
        """The offset to go on from after a crash: nothing below it is unfinished.

        None before anything was read. Gaps (aborted records, markers) are passed with the record
        after them.
        """
        return self._open[0] if self._open else self._end


class AssignedPartition:
    """Shared by the source, which begins records, and the lanes, which finish them.

    Every method but `passed` may be called from any thread. server: where the position was read
    that it goes on from; nothing that is settled elsewhere counts. copied: only for the source, see
    Majors.takes. careful: so many of its next records are handled one by one, see deaths.py.
    former: of the same partition, before its log went back; nothing is committed until its records
    are settled, or those that both have would be passed.
    """

    def __init__(
        self,
        topic: str,
        number: int,
        server: str,
        careful: int = 0,
        former: AssignedPartition | None = None,
    ) -> None:
        self.topic = topic
        self.number = number
        self.server = server
        self.careful = careful
        self.copied: set[str] = set()
        self._offsets = Offsets()
        self._changed = threading.Condition()
        self._running = 0
        self._revoked = False
        self._committed: int | None = None
        self._end: int | None = None
        self._former = former

    @property
    def revoked(self) -> bool:
        """Another member has the partition: what is not running is dropped."""
        return self._revoked

    def passed(self, offset: int) -> bool:
        """Whether the source has read `offset`, or a later one, before. Only the source may call
        it: it does so for every record, and only it moves that on, so no lock is needed."""
        return self._offsets.passed(offset)

    def begin(self, offset: int) -> None:
        """The source gives the record at `offset` to a lane."""
        with self._changed:
            self._offsets.begin(offset)
            self._end = None

    def pass_over(self, offset: int) -> None:
        """The source read a record that the group has no handler for."""
        with self._changed:
            self._offsets.pass_over(offset)
            self._end = None

    def reached_end(self, offset: int) -> None:
        """The broker had nothing to read at `offset`, the next one."""
        with self._changed:
            self._end = offset

    @property
    def end(self) -> int | None:
        """Where the end was found, None while more is being read."""
        return self._end

    @property
    def unsettled_from(self) -> int | None:
        """The first offset that is not settled, or the end; None before anything was read."""
        with self._changed:
            if self._end is not None and not self._offsets.unfinished:
                return self._end
            return self._offsets.committable()

    @property
    def is_unsettled(self) -> bool:
        """Whether records of it, or of those before it, are still with lanes."""
        with self._changed:
            unfinished = self._offsets.unfinished > 0
        return unfinished or (self._former is not None and self._former.is_unsettled)

    def start(self) -> bool:
        """A lane is about to handle a record; False when it has to drop it."""
        with self._changed:
            if self._revoked:
                return False
            self._running += 1
            return True

    def stop(self, offset: int, *, finished: bool) -> None:
        """A lane is done with a record. finished: it is settled."""
        with self._changed:
            self._running -= 1
            if finished:
                self._offsets.finish(offset)
            self._changed.notify_all()

    def handled_carefully(self) -> None:
        """One of the records was handled that have to be careful."""
        with self._changed:
            self.careful -= 1

    def revoke(self) -> None:
        """Queued records are dropped from now on."""
        with self._changed:
            self._revoked = True
        if self._former is not None:
            self._former.revoke()

    def wait_for_running(self, seconds: float) -> bool:
        """Waits until no lane handles a record of this partition; False after `seconds`."""
        until = time.monotonic() + seconds
        if self._former is not None and not self._former.wait_for_running(seconds):
            return False
        with self._changed:
            left = max(0.0, until - time.monotonic())
            return self._changed.wait_for(lambda: self._running == 0, left)

    def take_committable(self, *, again: bool) -> int | None:
        """The offset to commit if it moved since the last call, or `again` whatever it is."""
        if self._former is not None and self._former.is_unsettled:
            return None
        self._former = None
        with self._changed:
            offset = self._offsets.committable()
            if offset == self._committed and not again:
                return None
            self._committed = offset
            return offset

    def not_committed(self) -> None:
        """The broker refused the last offset, as during a rebalance: it is committed again."""
        with self._changed:
            self._committed = None


@dataclass(frozen=True, slots=True)
class Item:
    """A record in a lane. offset: its place in the partition that it was read from."""

    record: Record
    partition: AssignedPartition
    offset: int
    replay: bool

    @property
    def alone(self) -> bool:
        """Whether it gets a transaction of its own."""
        return self.replay or self.partition.careful > 0

    @property
    def key(self) -> tuple[str, bytes]:
        """What is handled in order: the domain's topic and the record's key."""
        return self.record.topic, self.record.key
