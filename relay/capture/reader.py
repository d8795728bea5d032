"""Reads what committed since a position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import psycopg
from psycopg.pq import TransactionStatus

from relay.capture.position import Position, Snapshot, Step
from relay.sqlfile import load

__all__ = ["Page", "Reader", "Reading", "Row"]

# One row of the outbox as the page statements give it. A plain tuple: a million of them a few
# seconds apart should cost no constructor. Columns: seq, id, event_type, schema_version (or None),
# aggregate_type, aggregate_id, metadata (JSON text), occurred_at (PostgreSQL's ISO text, UTC),
# fingerprint (or None), avro (or None), payload (JSON text, None where there is avro), shard.
Row: TypeAlias = tuple[
    int, str, str, int | None, str, str, str, str, bytes | None, bytes | None, str | None, int
]

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
    """Rows of a step in the order of seq, and the part of the step that they exhaust."""

    step: Step
    rows: list[Row]


class Reader:
    """Captures by snapshot difference on one autocommit connection of its own.

    The connection must never have a transaction id when a snapshot is taken, since the snapshot
    would call that transaction's uncommitted rows seen. Not safe for several threads.
    """

    def __init__(self, connection: psycopg.Connection[Any], shards: int, page_rows: int) -> None:
        """shards: the pinned number of shards. page_rows: most rows that one page may have."""
        if not connection.autocommit:
            raise ValueError("the capture connection must be in autocommit mode")
        self._connection = connection
        self._shards = shards
        self._page_rows = page_rows
        connection.execute("set timezone to 'UTC'; set datestyle to 'ISO'")

    def snapshot(self) -> Reading:
        """Takes a snapshot; raises RuntimeError inside a transaction."""
        if self._connection.info.transaction_status in _IN_TRANSACTION:
            raise RuntimeError("the capture connection is inside a transaction of its own")
        row = self._one("read_snapshot.sql", {})
        return Reading(Snapshot.parse(row[0]), row[1], row[2])

    def read(
        self, position: Position, snapshot: Snapshot, mine: Sequence[int] | None
    ) -> Page | None:
        """The next rows behind `position`, at most a page; None when there are none.

        snapshot: how far to read when the position is not inside a page run already.
        mine: shards whose rows are wanted; None for all. A page can be empty of rows when what
        committed belongs to other shards.
        """
        step = position.step(snapshot)
        if position.upto is None and not step.recovering:
            fresh = self._one("count_fresh.sql", self._bounds(step))[0]
            if fresh == 0:
                return None
            if fresh <= self._page_rows:
                rows = self._all("read_fresh.sql", self._bounds(step) | {"mine": _list(mine)})
                return Page(step, rows)
            first = self._one("find_first.sql", self._bounds(step))[0]
            step = Step(step.seen, step.upto, first - 1)
        rows = self.page(step, mine)
        if len(rows) == self._page_rows:
            step, _ = step.split(rows[-1][0])
        return Page(step, rows)

    def page(self, step: Step, mine: Sequence[int] | None) -> list[Row]:
        """The first rows of a step, at most a page."""
        return self._all(
            "read_page.sql",
            self._bounds(step)
            | {
                "after": step.after,
                "through": step.through,
                "recovering": step.recovering,
                "mine": _list(mine),
            },
        )

    def rows(self, seqs: Sequence[int]) -> list[Row]:
        """Single rows by their numbers, in order; those that are gone are left out."""
        return self._all("read_rows.sql", {"seqs": list(seqs), "shards": self._shards})

    def is_on_disk(self, lsn: int) -> bool:
        """Whether all of the log below `lsn` is flushed."""
        row = self._connection.execute(
            "select (pg_current_wal_flush_lsn() - '0/0')::bigint >= %s", (lsn,)
        ).fetchone()
        assert row is not None
        return bool(row[0])

    def flush(self) -> None:
        """Brings the log to disk by committing a tiny transaction of its own.

        pg_logical_emit_message writes one record and touches no table.
        """
        with self._connection.transaction():
            self._connection.execute("set local synchronous_commit to on")
            self._connection.execute("select pg_logical_emit_message(true, 'relay', '')")

    def _bounds(self, step: Step) -> dict[str, Any]:
        return {
            "in_progress": list(map(str, step.seen.in_progress)),
            "xmax": str(step.seen.xmax),
            "upto": str(step.upto),
            "rows": self._page_rows,
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
