"""The rows that wait for a shard's thread, bounded by number and bytes."""

from __future__ import annotations

import threading
import time

from relay.capture.feed import ShardRows
from relay.publish.errors import OutcomeUnknown

__all__ = ["ShardQueue"]

# Most rows, and bytes of them, that wait while a transaction is open.
_MOST_ROWS = 5_000
_MOST_BYTES = 8 * 2**20


class ShardQueue:
    """Filled by the feed's thread, emptied by the shard's. See relay.capture.feed.ShardSink."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._parts: list[ShardRows] = []
        self._rows = self._bytes = 0
        self._lost: str | None = None
        self._closed = False

    @property
    def is_closed(self) -> bool:
        """Whether the shard is asked to stop."""
        return self._closed

    def offer(self, part: ShardRows) -> bool:
        """Queues rows; False when there is no room for them now."""
        with self._changed:
            if self._rows and (
                self._rows + len(part.rows) > _MOST_ROWS or self._bytes + part.size > _MOST_BYTES
            ):
                return False
            self._parts.append(part)
            self._rows += len(part.rows)
            self._bytes += part.size
            self._changed.notify()
            return True

    def lost(self, reason: str) -> None:
        """The database connection broke: rows that were not on disk then may be gone."""
        with self._changed:
            self._lost = reason
            self._changed.notify()

    def close(self) -> None:
        """Asks the shard's thread to stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def take(self, until: float | None, not_before: float) -> list[ShardRows] | None:
        """Waits for rows and takes all; an empty list when `until` comes first; None: stop.

        not_before: rows that come until then are taken together, unless the queue is full. Both
        times as time.monotonic(). Raises OutcomeUnknown when the feed has lost the database.
        """
        with self._changed:
            while not self._parts and self._lost is None and not self._closed:
                pause = None if until is None else until - time.monotonic()
                if pause is not None and pause <= 0:
                    return []
                self._changed.wait(pause)
            while (
                self._lost is None
                and not self._closed
                and self._rows < _MOST_ROWS
                and (pause := not_before - time.monotonic()) > 0
            ):
                self._changed.wait(pause)
            if self._closed:
                return None
            self._raise_lost()
            parts, self._parts = self._parts, []
            self._rows = self._bytes = 0
            return parts

    def sleep(self, seconds: float) -> bool:
        """Waits; False when asked to stop. Raises OutcomeUnknown as `take`."""
        with self._changed:
            if not self._closed and self._lost is None:
                self._changed.wait(seconds)
            if self._closed:
                return False
            self._raise_lost()
            return True

    def _raise_lost(self) -> None:
        if self._lost is not None:
            raise OutcomeUnknown(self._lost, "database")
