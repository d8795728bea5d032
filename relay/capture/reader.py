"""Reads the rows that were committed since a position."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, cast

import psycopg
from psycopg.pq import TransactionStatus

from relay.capture.position import BEGINNING, Position, Snapshot, Step
from relay.capture.row import AVRO, PAYLOAD, SEQ, Row
from relay.postgres.sqlfile import load

__all__ = ["SESSION", "OutboxReader", "Page", "Reading"]

# Settings of its connection's session. Each of its queries looks up few rows by an index; without
# statistics, or where it expects a whole page, the planner would read the whole table instead.
SESSION: Final = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}

# A page ends with the row whose payload or Avro exceeds this.
MOST_BYTES: Final = 24 * 2**20
# Rows that libpq hands over at once; before version 17 it does so one by one or all at once.
_CHUNK_ROWS: Final = 64 if psycopg.pq.version() >= 170_000 else 1
_IN_TRANSACTION = (TransactionStatus.INTRANS, TransactionStatus.INERROR)


class Reading(NamedTuple):
    """A snapshot and the log positions when it was taken, in bytes.

    All that the snapshot sees is below `insert_lsn`; everything below `flush_lsn` is on disk.
    """

    snapshot: Snapshot
    insert_lsn: int
    flush_lsn: int


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a step in the order of seq, and the part of the step that they exhaust.

    size: bytes of their payloads or Avro.
    """

    step: Step
    rows: list[Row]
    size: int


class OutboxReader:
    """Captures by snapshot difference on one autocommit connection of its own.

    The connection must have no transaction id when a snapshot is taken: the snapshot would count
    that transaction's uncommitted rows as seen. Not safe for several threads.
    """

    def __init__(self, connection: psycopg.Connection[Any], shards: int, page_rows: int) -> None:
        """connection: with SESSION. shards: the pinned number. page_rows: most rows of a page; it
        has fewer large ones."""
        if not connection.autocommit:
            raise ValueError("the capture connection must be in autocommit mode")
        self._connection = connection
        self._shards = shards
        self._page_rows = page_rows

    def snapshot(self) -> Reading:
        """Takes a snapshot; raises RuntimeError inside a transaction."""
        self._refuse_transaction()
        row = self._one("read_snapshot.sql", {})
        return Reading(Snapshot.parse(row[0]), row[1], row[2])

    def read(
        self, position: Position, reading: Reading | None, mine: Sequence[int] | None
    ) -> tuple[Reading, Page | None]:
        """The next rows after `position`, at most a page; None when there are none.

        reading: how far to read when the position is not inside a page run already; None: up to
        now. mine: shards whose rows are wanted; None for all. A page can be empty of rows when
        what committed belongs to other shards.
        Returns the reading up to which it was read. Raises RuntimeError inside a transaction.
        """
        if position.upto is None and not position.recovering:
            return self._read_fresh(position, reading, mine)
        reading = reading or self.snapshot()
        step = position.step(reading.snapshot)
        if position.upto is None and position.seen != BEGINNING:
            return reading, self._first_page(step, mine)
        return reading, self.page(step, mine)

    def _read_fresh(
        self, position: Position, reading: Reading | None, mine: Sequence[int] | None
    ) -> tuple[Reading, Page | None]:
        self._refuse_transaction()
        (head, *rows), size, whole = self._stream(
            "read_fresh.sql",
            {
                **self._bounds(position.seen),
                "upto": None if reading is None else str(reading.snapshot),
                "mine": _list(mine),
            },
        )
        _, upto, _, fresh, insert_lsn, flush_lsn, *_ = head
        reading = reading or Reading(Snapshot.parse(upto), int(insert_lsn), int(flush_lsn))
        step = position.step(reading.snapshot)
        if not fresh:
            return reading, None
        if fresh <= self._page_rows:
            return reading, _page(step, rows, size, whole)
        return reading, self._first_page(step, mine)

    def _first_page(self, step: Step, mine: Sequence[int] | None) -> Page:
        """The first page of a step, without walking the rows that were done long ago."""
        first = self._one("find_first.sql", self._bounds(step.seen) | {"upto": str(step.upto)})[0]
        if first is None:
            return Page(step, [], 0)
        return self.page(replace(step, after=first - 1), mine)

    def page(self, step: Step, mine: Sequence[int] | None) -> Page:
        """The first rows of a step, at most a page. mine: see `read`."""
        rows, size, whole = self._stream(
            "read_page.sql",
            self._bounds(step.seen)
            | {
                "upto": str(step.upto),
                "after": step.after,
                "through": step.through,
                "recovering": step.recovering,
                "mine": _list(mine),
            },
        )
        return _page(step, rows, size, whole and len(rows) < self._page_rows)

    def rows(self, seqs: Sequence[int]) -> tuple[list[Row], bool]:
        """Single rows by seq, in order; rows that are gone are left out. False: there may be more
        after the last one, which did not fit a page."""
        rows, _, whole = self._stream("read_rows.sql", {"seqs": list(seqs), "shards": self._shards})
        return rows, whole

    def flushed_lsn(self) -> int:
        """The position up to which the log is on disk, in bytes."""
        row = self._connection.execute(
            "select (pg_current_wal_flush_lsn() - '0/0')::bigint"
        ).fetchone()
        assert row is not None
        return int(row[0])

    def flush(self) -> None:
        """Flushes the log by committing a tiny transaction.

        pg_logical_emit_message writes one record and touches no table.
        """
        with self._connection.transaction():
            self._connection.execute("set local synchronous_commit to on")
            self._connection.execute("select pg_logical_emit_message(true, 'relay', '')")

    def _refuse_transaction(self) -> None:
        if self._connection.info.transaction_status in _IN_TRANSACTION:
            raise RuntimeError("the capture connection is inside a transaction of its own")

    def _bounds(self, seen: Snapshot) -> dict[str, Any]:
        return {
            "in_progress": list(map(str, seen.in_progress)),
            "xmax": str(seen.xmax),
            "rows": self._page_rows,
            "shards": self._shards,
        }

    def _one(self, query: str, parameters: dict[str, Any]) -> Any:
        row = self._connection.execute(load(__package__, query), parameters).fetchone()
        assert row is not None
        return row

    def _stream(self, query: str, parameters: dict[str, Any]) -> tuple[list[Row], int, bool]:
        """Rows up to the one that fills a page's bytes, their bytes, and whether these are all.

        In chunks, so that rows that are unexpectedly large never come all at once.
        """
        rows: list[Row] = []
        size = 0
        cursor = self._connection.cursor()
        found = cursor.stream(load(__package__, query), parameters, size=_CHUNK_ROWS)
        # Its close cancels what is left of the query.
        with closing(cast("Generator[Row, None, None]", found)):
            for row in found:
                rows.append(row)
                size += len(row[AVRO] or row[PAYLOAD] or b"")
                if size > MOST_BYTES:
                    return rows, size, False
        return rows, size, True


def _page(step: Step, rows: list[Row], size: int, whole: bool) -> Page:
    return Page(step if whole else step.split(rows[-1][SEQ])[0], rows, size)


def _list(mine: Sequence[int] | None) -> list[int] | None:
    return None if mine is None else list(mine)
