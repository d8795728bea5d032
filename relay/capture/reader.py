"""Reads what committed since a position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from psycopg.pq import TransactionStatus

from relay.capture.page_size import PageSize
from relay.capture.position import Position, Snapshot, Step
from relay.capture.row import AVRO, PAYLOAD, SEQ, Row
from relay.postgres.sqlfile import load

__all__ = ["Page", "Reader", "Reading"]

_IN_TRANSACTION = (TransactionStatus.INTRANS, TransactionStatus.INERROR)


class Reading(NamedTuple):
    """A snapshot and the log's positions that belong to it, in bytes.

    All that the snapshot sees lies below `insert_lsn`; below `flush_lsn` all is on disk.
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


class Reader:
    """Captures by snapshot difference on one autocommit connection of its own.

    The connection must never have a transaction id when a snapshot is taken, since the snapshot
    would call that transaction's uncommitted rows seen. Not safe for several threads.
    """

    def __init__(self, connection: psycopg.Connection[Any], shards: int, page_rows: int) -> None:
        """shards: the pinned number of shards. page_rows: most rows that one page may have; it has
        fewer where they are large."""
        if not connection.autocommit:
            raise ValueError("the capture connection must be in autocommit mode")
        self._connection = connection
        self._shards = shards
        self._page_size = PageSize(page_rows)
        connection.execute("set timezone to 'UTC'; set datestyle to 'ISO'")

    def snapshot(self) -> Reading:
        """Takes a snapshot; raises RuntimeError inside a transaction."""
        self._refuse_transaction()
        row = self._one("read_snapshot.sql", {})
        return Reading(Snapshot.parse(row[0]), row[1], row[2])

    def read(
        self, position: Position, reading: Reading | None, mine: Sequence[int] | None
    ) -> tuple[Reading, Page | None]:
        """The next rows behind `position`, at most a page; None when there are none.

        reading: how far to read when the position is not inside a page run already; None: up to
        now. mine: shards whose rows are wanted; None for all. A page can be empty of rows when
        what committed belongs to other shards.
        Returns the reading that it was read up to. Raises RuntimeError inside a transaction.
        """
        if position.upto is None and not position.recovering:
            return self._read_fresh(position, reading, mine)
        reading = reading or self.snapshot()
        return reading, self._read_page(position.step(reading.snapshot), mine)

    def _read_fresh(
        self, position: Position, reading: Reading | None, mine: Sequence[int] | None
    ) -> tuple[Reading, Page | None]:
        self._refuse_transaction()
        (_, upto, _, fresh, insert_lsn, flush_lsn, *_), *rows = self._all(
            "read_fresh.sql",
            {
                **self._bounds(position.seen),
                "upto": None if reading is None else str(reading.snapshot),
                "mine": _list(mine),
            },
        )
        reading = reading or Reading(Snapshot.parse(upto), int(insert_lsn), int(flush_lsn))
        step = position.step(reading.snapshot)
        if not fresh:
            return reading, None
        if fresh <= self._page_size.rows:
            return reading, self._page_of(step, rows)
        first = self._one("find_first.sql", self._bounds(step.seen) | {"upto": str(step.upto)})[0]
        return reading, self._read_page(Step(step.seen, step.upto, first - 1), mine)

    def _read_page(self, step: Step, mine: Sequence[int] | None) -> Page:
        rows = self.page(step, mine)
        if len(rows) == self._page_size.rows:
            step, _ = step.split(rows[-1][SEQ])
        return self._page_of(step, rows)

    def _page_of(self, step: Step, rows: list[Row]) -> Page:
        size = sum([len(row[AVRO] or row[PAYLOAD] or b"") for row in rows])
        self._page_size.read(len(rows), size)
        return Page(step, rows, size)

    def page(self, step: Step, mine: Sequence[int] | None) -> list[Row]:
        """The first rows of a step, at most a page."""
        return self._all(
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

    def rows(self, seqs: Sequence[int]) -> list[Row]:
        """Single rows by their numbers, in order; those that are gone are left out."""
        return self._all("read_rows.sql", {"seqs": list(seqs), "shards": self._shards})

    def flushed_lsn(self) -> int:
        """Up to where the log is on disk by now."""
        row = self._connection.execute(
            "select (pg_current_wal_flush_lsn() - '0/0')::bigint"
        ).fetchone()
        assert row is not None
        return int(row[0])

    def flush(self) -> None:
        """Brings the log to disk by committing a tiny transaction of its own.

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
            "rows": self._page_size.rows,
            "shards": self._shards,
        }

    def _one(self, query: str, parameters: dict[str, Any]) -> Any:
        row = self._connection.execute(load(__package__, query), parameters).fetchone()
        assert row is not None
        return row

    def _all(self, query: str, parameters: dict[str, Any]) -> list[Row]:
        return self._connection.execute(load(__package__, query), parameters).fetchall()


def _list(mine: Sequence[int] | None) -> list[int] | None:
    return None if mine is None else list(mine)
