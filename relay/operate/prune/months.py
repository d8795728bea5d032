"""Drops the partitions of months in which everything may go."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg import sql

from relay.operate.prune.batch import Judge
from relay.operate.prune.report import Part
from relay.postgres.partitions import TABLES, Month, months, written_to

__all__ = ["prune_months"]

Connection = psycopg.Connection[Any]

# Dropping a partition needs the whole table for itself for a moment. Publishing services queue
# behind the request, so it is given up soon and made again.
_LOCK_TIMEOUT: Final = "set local lock_timeout = '500ms'"
_TRIES: Final = 8
_PAUSE_S: Final = 0.5


class _Changed(Exception):
    """A row came that may not go."""


def prune_months(
    connection: Connection, judge: Judge, before: datetime, days: int, *, dry_run: bool
) -> Iterator[Part]:
    """Yields each partition, the oldest first, after it was dropped or found to stay.

    before, days: the retention. Raises psycopg.Error.
    """
    current = written_to(connection)
    oldest_kept = Month.of(before.year, before.month)
    # The first partition has all numbers below it, too.
    start = 0
    for month in months(connection):
        part = Part(f"partition {month}")
        if month >= min(current, oldest_kept):
            # Months to come are of no interest.
            if month <= current:
                reason = "it is written to" if month == current else f"younger than {days} days"
                part.stays[reason] = 0
                yield part
            continue
        _look(judge, part, start, month)
        if not part.stays:
            part.gone = True
            if not dry_run:
                _drop(connection, judge, part, start, month)
        yield part
        start = month.after.start


def _look(judge: Judge, part: Part, start: int, month: Month) -> None:
    part.deleted = 0
    for batch in judge.walk(start - 1, month.after.start):
        part.deleted += batch.prunable
        part.stays += batch.stays
    if part.stays:
        part.deleted = 0


def _drop(connection: Connection, judge: Judge, part: Part, start: int, month: Month) -> None:
    """Judges the events again while nobody may write to them, then drops them."""
    events, deliveries = (sql.Identifier("outbox", month.table(table)) for table in TABLES)
    try:
        with connection.transaction():
            connection.execute(_LOCK_TIMEOUT)
            connection.execute(
                sql.SQL("lock table {}, {} in share mode").format(events, deliveries)
            )
            judge.begin()
            for batch in judge.walk(start - 1, month.after.start):
                if batch.stays:
                    raise _Changed
                judge.record(str(month))
            _lock_whole(connection)
            connection.execute(sql.SQL("drop table {}, {}").format(events, deliveries))
    except _Changed:
        part.gone = False
        _look(judge, part, start, month)
    except psycopg.errors.LockNotAvailable:
        part.gone, part.deleted = False, 0
        part.stays["other sessions have open transactions on the table, run it again"] = 0


def _lock_whole(connection: Connection) -> None:
    for attempt in range(1, _TRIES + 1):
        try:
            with connection.transaction():
                connection.execute(
                    "lock table outbox.domain_events, outbox.deliveries in access exclusive mode"
                )
            return
        except psycopg.errors.LockNotAvailable:
            if attempt == _TRIES:
                raise
            time.sleep(_PAUSE_S)
