"""Reads the outbox once for all shards of a worker and gives each its rows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

from relay.capture.cursor import Cursor, ShardRows, ShardSink, furthest_behind
from relay.capture.position import Position, Snapshot
from relay.capture.reader import OutboxReader, Page, Reading
from relay.capture.row import SEQ, SHARD, Row
from relay.errors import DatabaseUnavailable
from relay.observe import Events
from relay.outages import Outage
from relay.postgres.identity import Identity
from relay.unavailable import unavailable_server

__all__ = ["Feed", "ShardRows", "ShardSink", "SnapshotLost"]

# While events come, the outbox is read this often; more often would make smaller transactions.
_FIRST_PAUSE = 0.002
# Growth of the pause while nothing comes: each is a fifth of the idle time so far.
_GROWTH = 1.25
_RETRY_SECONDS = 0.5
_REPORTER = "reader"
_ROOM_SECONDS = 0.05
# How long all shards wait for one that has no room: while they share one query, reading costs
# least. After that it goes on by itself.
_PATIENCE_SECONDS = 2.0
# A long list of open transactions makes each snapshot expensive (29 ms for 1,000).
_PAUSE_A_TRANSACTION = 0.0001


class SnapshotLost(Exception):
    """The connection broke before the rows that were read were known to be on disk."""


class Feed:
    """One reading thread. Shards come and go by add and remove, from any thread.

    One query serves all shards at the same position. A shard without rows in a page moves on only
    in memory. A shard that has no room for long, because it waits for a server or a lock, is left
    behind and does not stop the others.
    """

    def __init__(
        self,
        open_reader: Callable[[], tuple[OutboxReader, Identity]],
        shards: int,
        longest_pause: float,
        prompt: bool = False,
        database: Outage | None = None,
    ) -> None:
        """open_reader: on a new connection, with the database that it leads to; raises
        DatabaseUnavailable. longest_pause: seconds between two looks at an idle outbox. prompt:
        flush the log at once, since the shards need rows that are on disk. database: where outages
        are reported.
        """
        self._open_reader = open_reader
        self._shards = shards
        self._longest_pause = longest_pause
        self._prompt = prompt
        self._database = database or Outage("PostgreSQL", Events())
        self._cursors: dict[int, Cursor] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._idle_rounds = 0
        # How many shards were ever added, and the snapshot at which none of them had anything to
        # read. While both are the same, no transaction has ended and there is nothing new.
        self._added = 0
        self._nothing_new: tuple[int, Snapshot] | None = None
        self._room = threading.Event()
        # Whether a shard has not taken a part that was read for it.
        self._has_left = False
        # The error that ended the thread; the worker ends then, too.
        self.failure: Exception | None = None
        # Parts that are not known to be on disk yet, and the log position that they need.
        self._unsettled: list[Future[None]] = []
        self._needed_lsn = 0
        self._flushed_lsn = 0
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopping = True
        self._wake.set()
        self._thread.join()

    def add(self, shard: int, position: Position, identity: Identity, sink: ShardSink) -> None:
        """Reads for the shard from now on, from `position` of the database `identity`."""
        with self._lock:
            self._cursors[shard] = Cursor(sink, identity, position)
            self._added += 1
            self._idle_rounds = 0
        self._wake.set()

    def remove(self, shard: int, sink: ShardSink) -> None:
        """Stops reading for the shard, unless another sink has been added since."""
        with self._lock:
            if (cursor := self._cursors.get(shard)) is not None and cursor.sink is sink:
                del self._cursors[shard]
        self._wake.set()

    def nudge(self) -> None:
        """A shard has room again."""
        self._room.set()
        if self._has_left:
            self._wake.set()

    @property
    def idle_rounds(self) -> int:
        """How many times in a row there was nothing to read."""
        return 0 if self._has_left else self._idle_rounds

    def _run(self) -> None:
        source: tuple[OutboxReader, Identity] | None = None
        pause = _FIRST_PAUSE
        while not self._stopping:
            if not self._cursors:
                self._wake.wait(self._longest_pause)
                self._wake.clear()
                continue
            try:
                source = source or self._open_reader()
                found, open_transactions = self._round(*source)
                self._database.recovered(_REPORTER)
            except Exception as error:
                if unavailable_server(error) is None:
                    self.failure = error
                    self._lose(f"reading the outbox failed: {error!r}")
                    return
                source = None
                self._database.unavailable(_REPORTER, str(error).strip())
                self._lose(f"the outbox can't be read: {str(error).strip()}")
                self._wake.wait(_RETRY_SECONDS)
                self._wake.clear()
                continue
            if found:
                pause = _FIRST_PAUSE
                self._idle_rounds = 0
            else:
                self._idle_rounds += 1
            self._wake.wait(
                min(pause, self._longest_pause) + open_transactions * _PAUSE_A_TRANSACTION
            )
            self._wake.clear()
            pause = min(pause * _GROWTH, self._longest_pause)

    def _round(self, reader: OutboxReader, identity: Identity) -> tuple[bool, int]:
        """Reads for all shards up to one snapshot. Returns whether there was anything, and the
        number of open transactions."""
        with self._lock:
            waiting, added = dict(self._cursors), self._added
        if any(cursor.identity != identity for cursor in waiting.values()):
            # A snapshot says nothing about the transactions of another database or timeline.
            raise DatabaseUnavailable("the shards were taken over on another database than is read")
        # In an idle database a snapshot is enough, at a sixth of the cost of reading rows.
        reading = reader.snapshot() if self._idle_rounds else None
        if reading is not None and (added, reading.snapshot) == self._nothing_new:
            return False, len(reading.snapshot.in_progress)
        found = False
        waiting = {shard: each for shard, each in waiting.items() if _takes_what_is_left(each)}
        while waiting and not self._stopping:
            position, group = furthest_behind(waiting)
            if found:
                # The next page may take long, and the shards wait for the last one to be on disk.
                self._settle(reader)
            reading, page = reader.read(position, reading, self._filter(group))
            if not position.is_possible(reading.snapshot):
                raise DatabaseUnavailable(
                    f"the server is at {reading.snapshot} and can't have been at {position.last} "
                    "before: its files were restored from a copy"
                )
            self._flushed_lsn = max(self._flushed_lsn, reading.flush_lsn)
            self._settle(reader)
            if page is not None:
                found = True
                self._hand_out(reader, reading, page, group)
            for shard, cursor in group.items():
                # After a read without rows the position stays.
                has_all = page is None or cursor.position == Position(reading.snapshot)
                if has_all or cursor.left is not None:
                    del waiting[shard]
                    cursor.is_behind = cursor.left is not None
        with self._lock:
            self._has_left = any(cursor.left is not None for cursor in self._cursors.values())
        if reading is None:
            return False, 0
        is_idle = not (found or waiting or self._has_left)
        self._nothing_new = (added, reading.snapshot) if is_idle else None
        return found, len(reading.snapshot.in_progress)

    def _filter(self, group: dict[int, Cursor]) -> list[int] | None:
        return None if len(group) == self._shards else sorted(group)

    def _hand_out(
        self, reader: OutboxReader, reading: Reading, page: Page, group: dict[int, Cursor]
    ) -> None:
        """Gives each shard its rows.

        Mostly the next reading shows that they are on disk: by then the services' own commits have
        flushed the log.
        """
        durable: Future[None] = Future()
        if self._flushed_lsn >= reading.insert_lsn:
            durable.set_result(None)
        else:
            self._unsettled.append(durable)
            self._needed_lsn = reading.insert_lsn
        by_shard: dict[int, list[Row]] = {shard: [] for shard in group}
        for row in page.rows:
            by_shard[row[SHARD]].append(row)
        waiting = []
        for shard, cursor in group.items():
            step, rows = page.step, by_shard[shard]
            after = cursor.position.after
            if after > step.after:
                if step.through is not None and after >= step.through:
                    continue
                step = replace(step, after=after)
                rows = [row for row in rows if row[SEQ] > after]
            cursor.position = step.position()
            if rows or (step.recovering and step.through is None):
                size = page.size * len(rows) // max(len(page.rows), 1)
                part = ShardRows(step, rows, size, durable)
                if not cursor.sink.offer(part):
                    waiting.append((shard, cursor, part))
        if waiting or self._prompt:
            self._settle(reader)
        self._wait_for_room(waiting)

    def _wait_for_room(self, waiting: list[tuple[int, Cursor, ShardRows]]) -> None:
        """Waits a while for shards that had no room, and keeps what they do not take."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for shard, cursor, part in waiting:
            while not cursor.sink.offer(part) and self._cursors.get(shard) is cursor:
                if self._stopping:
                    return
                if cursor.is_behind or time.monotonic() >= deadline:
                    cursor.left = part
                    break
                self._room.wait(_ROOM_SECONDS)
                self._room.clear()

    def _settle(self, reader: OutboxReader) -> None:
        """Makes sure that all rows that were handed out are on disk."""
        if not self._unsettled:
            return
        if self._flushed_lsn < self._needed_lsn:
            self._flushed_lsn = reader.flushed_lsn()
        if self._flushed_lsn < self._needed_lsn:
            reader.flush()
            self._flushed_lsn = self._needed_lsn
        for durable in self._unsettled:
            durable.set_result(None)
        self._unsettled.clear()

    def _lose(self, reason: str) -> None:
        for durable in self._unsettled:
            durable.set_exception(SnapshotLost())
        self._unsettled.clear()
        self._flushed_lsn = 0
        self._nothing_new = None
        with self._lock:
            cursors, self._cursors = self._cursors, {}
        for cursor in cursors.values():
            cursor.sink.lost(reason)


def _takes_what_is_left(cursor: Cursor) -> bool:
    """Whether the shard takes what it had no room for; True where there is nothing."""
    if cursor.left is not None and cursor.sink.offer(cursor.left):
        cursor.left = None
    return cursor.left is None
