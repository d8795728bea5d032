"""Records that a lane has set aside, since another transaction has their keys' locks."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from relay.consume.partition import Item

__all__ = ["Aside", "joins"]


def joins(items: Sequence[Item], item: Item) -> bool:
    """Whether `item` may come into one transaction with `items`."""
    return not items or not (item.alone or items[0].alone)


class Aside:
    """Keys that wait, each with its records in order. Belongs to one thread.

    Whatever a lane reads of such a key has to be added here, or it would overtake.
    """

    def __init__(self) -> None:
        self._records: dict[tuple[str, bytes], deque[Item]] = {}
        self._again_at: dict[tuple[str, bytes], float] = {}

    def __contains__(self, item: Item) -> bool:
        return item.key in self._records

    def add(self, item: Item) -> None:
        """Puts a record after those of its key, which is here."""
        self._records[item.key].append(item)

    def put(self, items: Sequence[Item], pause_s: float) -> None:
        """Puts records before those of their keys; they are tried again in `pause_s` seconds."""
        again_at = time.monotonic() + pause_s
        for item in reversed(items):
            self._records.setdefault(item.key, deque()).appendleft(item)
            self._again_at[item.key] = again_at

    def take(self, most: int) -> list[Item]:
        """At most `most` records whose pause is over, of each key in order."""
        now = time.monotonic()
        items: list[Item] = []
        for key in [key for key, at in self._again_at.items() if at <= now]:
            records = self._records[key]
            while records and len(items) < most and joins(items, records[0]):
                items.append(records.popleft())
            if not records:
                del self._records[key], self._again_at[key]
        return items

    def seconds(self) -> float | None:
        """Until the next pause is over; None where nothing is here."""
        if not self._again_at:
            return None
        return max(0.0, min(self._again_at.values()) - time.monotonic())
