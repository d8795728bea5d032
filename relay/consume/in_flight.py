"""How much of what was read is not settled yet."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Final

from relay.consume.partition import Item

__all__ = ["InFlight"]

MOST_RECORDS: Final = 4_000
MOST_BYTES: Final = 32 * 2**20


class InFlight:
    """How many records are in the lanes, within bounds. Any thread may call any method."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.records = 0
        self.bytes = 0

    def add(self, items: Sequence[Item]) -> None:
        """Records are put into a lane."""
        with self._changed:
            self.records += len(items)
            self.bytes += _size(items)

    def remove(self, items: Sequence[Item]) -> None:
        """Records have left a lane, settled or dropped."""
        with self._changed:
            self.records -= len(items)
            self.bytes -= _size(items)
            self._changed.notify_all()

    @property
    def full(self) -> bool:
        """Whether no more should be read."""
        return self.records >= MOST_RECORDS or self.bytes >= MOST_BYTES

    def wait_for_room(self, seconds: float) -> bool:
        """Waits until half of the room is free; False after `seconds`."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self.records <= MOST_RECORDS // 2 and self.bytes <= MOST_BYTES // 2, seconds
            )


def _size(items: Iterable[Item]) -> int:
    return sum(len(item.record.value or b"") for item in items)
