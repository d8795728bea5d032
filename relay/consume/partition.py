"""One assigned partition: what is under way in it and how far it is done."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from relay.consume.offsets import Offsets
from relay.consume.record import Record

__all__ = ["Item", "Partition"]


class Partition:
    """Shared by the reader, which begins records, and the lanes, which finish them.

    Every method but `passed` may be called from any thread. copied: the reader's alone, see
    Majors.takes.
    """

    def __init__(self, topic: str, number: int) -> None:
        self.topic = topic
        self.number = number
        self.copied: set[str] = set()
        self._offsets = Offsets()
        self._changed = threading.Condition()
        self._running = 0
        self._revoked = False
        self._committed: int | None = None
        self._end: int | None = None

    @property
    def revoked(self) -> bool:
        """The partition is another member's: what is not running is dropped."""
        return self._revoked

    def passed(self, offset: int) -> bool:
        """Whether the reader was at `offset`, or above it, before. For the reader, which alone
        moves that on: it asks for every record, and needs no lock."""
        return self._offsets.passed(offset)

    def begin(self, offset: int) -> None:
        """The reader took up the record at `offset`."""
        with self._changed:
            self._offsets.begin(offset)
            self._end = None

    def pass_over(self, offset: int) -> None:
        """The reader saw a record that the group has no handler for."""
        with self._changed:
            self._offsets.pass_over(offset)
            self._end = None

    def reached_end(self, offset: int) -> None:
        """There was nothing to read at `offset`, the next one, when the broker was asked."""
        with self._changed:
            self._end = offset

    @property
    def end(self) -> int | None:
        """Where the end was found, None while more is being read."""
        return self._end

    def start(self) -> bool:
        """A lane is about to handle a record; False when it has to drop it."""
        with self._changed:
            if self._revoked:
                return False
            self._running += 1
            return True

    def stop(self, offset: int, *, finished: bool) -> None:
        """A lane has let go of a record, having settled it or not."""
        with self._changed:
            self._running -= 1
            if finished:
                self._offsets.finish(offset)
            self._changed.notify_all()

    def revoke(self) -> None:
        """Queued records are dropped from now on."""
        with self._changed:
            self._revoked = True

    def wait_for_running(self, seconds: float) -> bool:
        """Waits until no lane handles a record of this partition; False when time ran out."""
        with self._changed:
            return self._changed.wait_for(lambda: self._running == 0, seconds)

    def take_committable(self, *, again: bool) -> int | None:
        """The offset to commit if it moved since the last call, or `again` whatever it is."""
        with self._changed:
            offset = self._offsets.committable()
            if offset == self._committed and not again:
                return None
            self._committed = offset
            return offset


@dataclass(frozen=True, slots=True)
class Item:
    """A record in a lane. offset: its place in the partition that it was read from."""

    record: Record
    partition: Partition
    offset: int
    replay: bool
