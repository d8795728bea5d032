"""Reads once for all shards of a worker and hands each its rows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Protocol

from relay.capture.position import Position, Snapshot, Step
from relay.capture.reader import Page, Reader, Reading
from relay.capture.row import SEQ, SHARD, Row
from relay.errors import DatabaseUnavailable
from relay.observe import Events
from relay.outages import Outage
from relay.postgres.connect import OUTAGES
from relay.postgres.identity import Identity

__all__ = ["Feed", "ShardRows", "ShardSink", "SnapshotLost"]

# While events come, the outbox is looked at this often; more would only make smaller transactions.
_FIRST_PAUSE = 0.002
# How much longer each pause is than the last while nothing comes: a fifth of the silence so far.
_GROWTH = 1.25
_RETRY_SECONDS = 0.5
_REPORTER = "reader"
_ROOM_SECONDS = 0.05
# A long list of open transactions makes each look at them expensive (29 ms for 1,000).
_PAUSE_A_TRANSACTION = 0.0001


class SnapshotLost(Exception):
    """The connection broke before anyone could tell whether what was read is on disk."""


@dataclass(frozen=True, slots=True)
class ShardRows:
    """A step's rows of one shard, in the order of seq.

    size: of their payloads or Avro in bytes, roughly. durable: done once all that the page's
    snapshot saw is on disk, or with SnapshotLost. Until then a crash of the database could take
    back what was read and give the transactions' ids to others.
    """

    step: Step
    rows: list[Row]
    size: int
    durable: Future[None] = field(compare=False)


class ShardSink(Protocol):
    """A shard as the feed sees it."""

    def offer(self, part: ShardRows) -> bool:
        """Takes a part; False when there is no room for it now."""

    def lost(self, reason: str) -> None:
        """The database connection broke: what was not on disk then may never have been."""


@dataclass(slots=True)
class _Cursor:
    sink: ShardSink
    identity: Identity
    position: Position


class Feed:
    """One reading thread. Shards come and go by add and remove, from any thread.

    Shards at the same position are read for at once. A shard without rows in a page moves on in
    memory alone.
    """

    def __init__(
        self,
        open_reader: Callable[[], tuple[Reader, Identity]],
        shards: int,
        longest_pause: float,
        prompt: bool = False,
        database: Outage | None = None,
    ) -> None:
        """open_reader: on a new connection, with the database that it leads to; raises
        DatabaseUnavailable. longest_pause: seconds between two looks at an idle outbox. prompt:
        takers can do nothing before they know that rows are on disk, so that is seen to at once.
        database: is told when the outbox can't be read.
        """
        self._open_reader = open_reader
        self._shards = shards
        self._longest_pause = longest_pause
        self._prompt = prompt
        self._database = database or Outage("PostgreSQL", Events())
        self._cursors: dict[int, _Cursor] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._idle_rounds = 0
        # How many shards were ever added; with the snapshot at which there was nothing to read for
        # any of them. While both stay, no transaction has ended since, and there still is nothing.
        self._added = 0
        self._nothing_new: tuple[int, Snapshot] | None = None
        self._room = threading.Event()
        # What ended the thread, other than being stopped; the worker ends then, too.
        self.failure: Exception | None = None
        # What was handed out and is not known to be on disk yet, and up to where the log has to be.
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
        """From now on the shard is read for, from `position`, which belongs to one database."""
        with self._lock:
            self._cursors[shard] = _Cursor(sink, identity, position)
            self._added += 1
            self._idle_rounds = 0
        self._wake.set()

    def remove(self, shard: int, sink: ShardSink) -> None:
        """The shard is read for no longer, unless another sink has come since."""
        with self._lock:
            if (cursor := self._cursors.get(shard)) is not None and cursor.sink is sink:
                del self._cursors[shard]
        self._wake.set()

    def nudge(self) -> None:
        """A shard has room again."""
        self._room.set()

    @property
    def idle_rounds(self) -> int:
        """How many times in a row there was nothing to read."""
        return self._idle_rounds

    def _run(self) -> None:
        source: tuple[Reader, Identity] | None = None
        pause = _FIRST_PAUSE
        while not self._stopping:
            if not self._cursors:
                self._wake.wait(self._longest_pause)
                self._wake.clear()
                continue
            try:
                source = source or self._open_reader()
                found, open_transactions = self._round(*source)
                self._database.back(_REPORTER)
            except OUTAGES as error:
                source = None
                self._database.away(_REPORTER, str(error).strip())
                self._lose(f"the outbox can't be read: {str(error).strip()}")
                self._wake.wait(_RETRY_SECONDS)
                self._wake.clear()
                continue
            except Exception as error:
                self.failure = error
                self._lose(f"reading the outbox failed: {error!r}")
                return
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

    def _round(self, reader: Reader, identity: Identity) -> tuple[bool, int]:
        """Reads for all shards up to one snapshot; whether there was anything, and how many
        transactions were open."""
        with self._lock:
            behind, added = dict(self._cursors), self._added
        if any(cursor.identity != identity for cursor in behind.values()):
            # A snapshot says nothing about the transactions of another database or timeline.
            raise DatabaseUnavailable("the shards were taken over on another database than is read")
        # In an idle database a snapshot tells enough, for a sixth of what a look at the rows costs.
        reading = reader.snapshot() if self._idle_rounds else None
        if reading is not None and (added, reading.snapshot) == self._nothing_new:
            return False, len(reading.snapshot.in_progress)
        found = False
        while behind and not self._stopping:
            position, group = _furthest_behind(behind)
            reading, page = reader.read(position, reading, self._filter(group))
            self._flushed_lsn = max(self._flushed_lsn, reading.flush_lsn)
            self._settle(reader)
            if page is not None:
                found = True
                self._hand_out(reader, reading, page, group)
            for shard, cursor in group.items():
                # A read without rows adopts nothing: the old position stays.
                if page is None or cursor.position == Position(reading.snapshot):
                    del behind[shard]
        if reading is None:
            return False, 0
        self._nothing_new = None if found or behind else (added, reading.snapshot)
        return found, len(reading.snapshot.in_progress)

    def _filter(self, group: dict[int, _Cursor]) -> list[int] | None:
        return None if len(group) == self._shards else sorted(group)

    def _hand_out(
        self, reader: Reader, reading: Reading, page: Page, group: dict[int, _Cursor]
    ) -> None:
        """Gives each shard its rows.

        Whether they are on disk is mostly told with the next reading: by then the services' own
        commits have brought them there.
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
        for shard, cursor, part in waiting:
            while not cursor.sink.offer(part) and self._cursors.get(shard) is cursor:
                if self._stopping:
                    return
                self._room.wait(_ROOM_SECONDS)
                self._room.clear()

    def _settle(self, reader: Reader) -> None:
        """Makes sure that all that was handed out is on disk."""
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


def _furthest_behind(behind: dict[int, _Cursor]) -> tuple[Position, dict[int, _Cursor]]:
    """The shards that can be read for together, and where that reading begins.

    Inside one page run the shards may have come to different rows; each passes over its own.
    """
    first = min(
        (cursor.position for cursor in behind.values()),
        key=lambda position: (position.seen.xmax, position.after),
    )
    group = {
        shard: cursor
        for shard, cursor in behind.items()
        if (cursor.position.seen, cursor.position.upto, cursor.position.recovering)
        == (first.seen, first.upto, first.recovering)
    }
    return min((c.position for c in group.values()), key=lambda position: position.after), group
