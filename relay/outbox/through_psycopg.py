"""Writes rows in the transaction of a psycopg connection."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from relay.errors import TransactionMissing
from relay.outbox.insert import Insert

__all__ = ["is_connection", "is_undecided", "refuse_autocommit", "run"]


def is_connection(session: object) -> bool:
    """Checks whether `run` accepts it."""
    return isinstance(session, psycopg.Connection | psycopg.AsyncConnection)


def run(session: Any, insert: Insert) -> Coroutine[Any, Any, None] | None:
    """Runs `insert`; a coroutine for an AsyncConnection."""
    refuse_autocommit(session)
    if isinstance(session, psycopg.AsyncConnection):
        return _run_async(session, insert)
    if is_undecided(session):
        with session.pipeline():
            pass
        refuse_autocommit(session)
    cursor = session.execute(insert.query, insert.parameters)
    if cursor.rowcount < 0:
        with session.pipeline():
            pass  # Ending a nested pipeline fetches the pending results.
    if cursor.rowcount != len(insert.rows):
        # Whatever rows the caller's connection makes.
        with session.cursor(row_factory=tuple_row) as reasons:
            insert.refuse(reasons.execute(*insert.reason_query()).fetchall())
    return None


async def _run_async(connection: psycopg.AsyncConnection[Any], insert: Insert) -> None:
    if is_undecided(connection):
        async with connection.pipeline():
            pass
        refuse_autocommit(connection)
    cursor = await connection.execute(insert.query, insert.parameters)
    if cursor.rowcount < 0:
        async with connection.pipeline():
            pass  # Ending a nested pipeline fetches the pending results.
    if cursor.rowcount != len(insert.rows):
        async with connection.cursor(row_factory=tuple_row) as reasons:
            await reasons.execute(*insert.reason_query())
            insert.refuse(await reasons.fetchall())


def is_undecided(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> bool:
    """Checks whether a statement is under way in a pipeline, which may have begun a transaction or
    not. Ending a nested pipeline waits for it."""
    status = connection.info.transaction_status
    return connection.autocommit and status == TransactionStatus.ACTIVE


def refuse_autocommit(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    """Raises TransactionMissing if a statement would be its own transaction."""
    if connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
        raise TransactionMissing(
            "this psycopg connection is in autocommit mode and no transaction is open, so the "
            "event would be kept even if the change is rolled back: publish inside "
            "`with connection.transaction():`, where the change is made"
        )
