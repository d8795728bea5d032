"""Writes rows in the transaction of a SQLAlchemy session or connection with any driver."""

from __future__ import annotations

import re
from collections.abc import Coroutine
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.orm import Session, scoped_session

from relay.errors import TransactionMissing
from relay.outbox.insert import Insert

try:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session

    _ASYNC: tuple[type, ...] = (AsyncSession, AsyncConnection, async_scoped_session)
except ImportError:  # without greenlet SQLAlchemy has no asynchronous sessions
    _ASYNC = ()

__all__ = ["is_connection", "run"]

_PSYCOPG: Final = ("psycopg", "psycopg_async")
_PARAMETER: Final = re.compile(r"%\((\w+)\)s")


def is_connection(session: object) -> bool:
    """Checks whether `run` accepts it."""
    return isinstance(session, (Session, scoped_session, Connection, *_ASYNC))


def run(session: Any, insert: Insert) -> Coroutine[Any, Any, None] | None:
    """Runs `insert`, after the pending changes of a Session; a coroutine for asyncio's."""
    if isinstance(session, _ASYNC):
        return _run_async(session, insert)
    if isinstance(session, scoped_session):
        session = session()
    if isinstance(session, Session):
        session.flush()
        session = session.connection()
    _refuse_autocommit(session)
    if session.execute(_text(insert.query), insert.parameters).rowcount != len(insert.rows):
        query, parameters = insert.reason_query()
        states = session.execute(_text(query), parameters).fetchall()
        insert.refuse([tuple(row) for row in states])
    return None


async def _run_async(session: Any, insert: Insert) -> None:
    await session.run_sync(run, insert)


def _refuse_autocommit(connection: Connection) -> None:
    if connection.dialect.driver in _PSYCOPG:
        from relay.outbox import through_psycopg

        driver: Any = connection.connection.driver_connection
        if through_psycopg.is_undecided(driver):
            raise TransactionMissing(
                "this SQLAlchemy connection has the isolation level AUTOCOMMIT and statements of a "
                "pipeline under way, so whether a transaction is open is not known: publish "
                "through a session with a transaction"
            )
        through_psycopg.refuse_autocommit(driver)
    elif getattr(connection.connection.dbapi_connection, "autocommit", False) is True:
        raise TransactionMissing(
            "this SQLAlchemy connection has the isolation level AUTOCOMMIT, so the event would be "
            "kept even if the change is rolled back: publish through a session with a transaction"
        )


@cache
def _text(statement: bytes) -> TextClause:
    return text(_PARAMETER.sub(r":\1", statement.decode()))
