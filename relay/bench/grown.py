"""Fills an outbox with delivered events in SQL, as many as years would bring."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from relay.postgres.partitions import TABLES, Month, are_partitioned, keep, months
from relay.postgres.sqlfile import load

__all__ = ["begin_long_ago", "fill_delivered"]

# So many months lie ahead of the present one and stay empty.
_AHEAD = 3


def begin_long_ago(connection: psycopg.Connection[Any], back: int) -> Month:
    """Lets an empty partitioned outbox begin so many months before this one; that month."""
    there = months(connection)
    for month in there:
        for table in TABLES:
            connection.execute(
                sql.SQL("drop table {}").format(sql.Identifier("outbox", month.table(table)))
            )
    connection.execute("alter sequence outbox.domain_events_seq_seq restart 1")
    first = Month(there[0].number - back)
    keep(connection, first)
    return first


def fill_delivered(connection: psycopg.Connection[Any], rows: int, aggregates: int) -> None:
    """Adds delivered events of the aggregates `order-000000` and so on; every position has passed
    them. Where the outbox has partitions, each month up to now gets the same number.

    Indexes are built afterwards, which is faster; the tables are vacuumed and analyzed by the
    caller.
    """
    indexes = _drop_indexes(connection)
    parts = months(connection)[:-_AHEAD] if are_partitioned(connection) else [None]
    for number, month in enumerate(parts):
        first = number * rows // len(parts)
        given = {
            # Beyond what is there, and not at the end of the range.
            "start": (month.start if month else 0) + 10**9 - first,
            "first": first + 1,
            "last": (number + 1) * rows // len(parts),
            "aggregates": aggregates,
        }
        connection.execute(load(__package__, "fill_events.sql"), given)
        connection.execute(load(__package__, "fill_deliveries.sql"), given)
    connection.execute(load(__package__, "pass_numbers.sql"))
    for statement in indexes:
        connection.execute(statement)


def _drop_indexes(connection: psycopg.Connection[Any]) -> list[str]:
    """Drops the indexes of events and deliveries; the statements that make them again."""
    again = []
    for name, table, constraint, definition in connection.execute(
        load(__package__, "list_indexes.sql")
    ).fetchall():
        if constraint:
            connection.execute(f"alter table {table} drop constraint {constraint}")
            again.append(f"alter table {table} add constraint {constraint} {definition}")
        else:
            connection.execute(f"drop index {name}")
            again.append(definition.replace(" ON ONLY ", " ON "))
    return again
