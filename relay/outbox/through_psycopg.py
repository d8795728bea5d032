"""Writes rows in the transaction of a psycopg connection."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from relay.errors import TransactionMissing
from relay.outbox.statement import Insert

__all__ = ["is_connection", "refuse_autocommit", "run"]


def is_connection(session: object) -> bool:
    """Whether `run` takes it."""
    return isinstance(session, psycopg.Connection | psycopg.AsyncConnection)


def run(session: Any, insert: Insert) -> Coroutine[Any, Any, None] | None:
    """Runs `insert`; a coroutine for an AsyncConnection."""
    refuse_autocommit(session)
    if isinstance(session, psycopg.AsyncConnection):
        return _run_async(session, insert)
    cursor = session.execute(insert.query, insert.parameters)
    if cursor.rowcount < 0:
        with session.pipeline():
            pass  # One within the caller's, whose end brings what is still under way.
    if cursor.rowcount != len(insert.rows):
        insert.refuse(session.execute(*insert.reason_query()).fetchall())
    return None


async def _run_async(connection: psycopg.AsyncConnection[Any], insert: Insert) -> None:
    cursor = await connection.execute(insert.query, insert.parameters)
    if cursor.rowcount < 0:
        async with connection.pipeline():
            pass  # One within the caller's, whose end brings what is still under way.
    if cursor.rowcount != len(insert.rows):
        insert.refuse(await (await connection.execute(*insert.reason_query())).fetchall())


def refuse_autocommit(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    """Raises TransactionMissing where a statement would be its own transaction."""
    if connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
        raise TransactionMissing(
            "this psycopg connection is in autocommit mode and no transaction is open, so the "
            "event would be kept even if the change is not: publish inside "
            "`with connection.transaction():`, where the change is made"
        )
