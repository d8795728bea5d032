"""Puts rows into the outbox through whichever session the caller's transaction lives in.

There is one statement for one event and one for many (a text for all rows costs a single event
15 % more, and many of them a third). What differs between sessions is how a transaction is
recognized and how a statement is run.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Coroutine, Mapping, Sequence
from functools import cache
from typing import Any, Final

import orjson
import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, TextClause, text
from sqlalchemy.orm import Session, scoped_session

from relay.errors import TransactionMissing
from relay.outbox.row import Row
from relay.postgres.sqlfile import load
from relay.schema.approvals.refusal import require_written, states_query

try:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session

    _SQLALCHEMY_ASYNC: tuple[type, ...] = (AsyncSession, AsyncConnection, async_scoped_session)
except ImportError:  # without greenlet SQLAlchemy has no asynchronous sessions to publish through
    _SQLALCHEMY_ASYNC = ()

__all__ = ["insert"]

Parameters = Mapping[str, Any]
Either = None | Coroutine[Any, Any, None]

_PARAMETER: Final = re.compile(r"%\((\w+)\)s")


def insert(session: object, rows: Sequence[Row], *, lock: bool) -> Either:
    """Writes `rows` in the transaction of `session`; a coroutine for asyncio's sessions.

    rows: none is allowed and writes nothing.
    lock: take the advisory lock of each row's aggregate first.
    Raises SchemaNotActive when the schema version of a row is not in use: then nothing was
    written and the transaction can go on. TransactionMissing for a connection in autocommit mode
    outside of a transaction, TypeError for anything that is not a session.
    """
    if len(rows) == 1:
        return _run(session, "insert_event.sql", {**rows[0], "lock": lock}, rows)
    return _run(session, "insert_events.sql", {"rows": _json(rows), "lock": lock}, rows)


def _json(rows: Sequence[Row]) -> str:
    """One text for all rows: drivers take five times as long over an array a column."""
    return orjson.dumps(
        [
            {
                **row,
                "payload": orjson.Fragment(row["payload"]),
                "metadata": orjson.Fragment(row["metadata"]),
                "fingerprint": row["fingerprint"].hex(),
                "logical_digest": row["logical_digest"].hex(),
                "avro": b64encode(row["avro"]).decode(),
            }
            for row in rows
        ]
    ).decode()


def _run(session: object, name: str, parameters: Parameters, rows: Sequence[Row]) -> Either:
    if isinstance(session, psycopg.Connection):
        _refuse_autocommit(session)
        cursor = session.execute(_psycopg(name), parameters)
        if cursor.rowcount < 0:
            with session.pipeline():
                pass  # One within the caller's, whose end brings what is still under way.
        if cursor.rowcount != len(rows):
            found = session.execute(states_query(), _asked(rows)).fetchall()
            require_written(rows, found)
        return None
    if isinstance(session, psycopg.AsyncConnection):
        _refuse_autocommit(session)
        return _run_psycopg_async(session, name, parameters, rows)
    if isinstance(session, scoped_session):
        session = session()
    if isinstance(session, Session):
        session.flush()
        session = session.connection()
    if isinstance(session, Connection):
        _refuse_autocommit_of_driver(session)
        if session.execute(_sqlalchemy(_psycopg(name)), parameters).rowcount != len(rows):
            states = session.execute(_sqlalchemy(states_query()), _asked(rows)).fetchall()
            require_written(rows, [tuple(row) for row in states])
        return None
    if isinstance(session, _SQLALCHEMY_ASYNC):
        return _run_sqlalchemy_async(session, name, parameters, rows)
    raise TypeError(
        f"can't publish through {type(session).__module__}.{type(session).__qualname__}: pass the "
        "SQLAlchemy Session, AsyncSession, Connection or AsyncConnection, or the psycopg "
        "Connection or AsyncConnection, that the change is written with"
    )


async def _run_psycopg_async(
    connection: psycopg.AsyncConnection[Any],
    name: str,
    parameters: Parameters,
    rows: Sequence[Row],
) -> None:
    cursor = await connection.execute(_psycopg(name), parameters)
    if cursor.rowcount < 0:
        async with connection.pipeline():
            pass  # One within the caller's, whose end brings what is still under way.
    if cursor.rowcount != len(rows):
        found = await (await connection.execute(states_query(), _asked(rows))).fetchall()
        require_written(rows, found)


async def _run_sqlalchemy_async(
    session: Any, name: str, parameters: Parameters, rows: Sequence[Row]
) -> None:
    await session.run_sync(_run, name, parameters, rows)


def _asked(rows: Sequence[Row]) -> Parameters:
    return {"event_types": orjson.dumps(sorted({row["event_type"] for row in rows})).decode()}


def _refuse_autocommit(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    if connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
        raise TransactionMissing(
            "this psycopg connection is in autocommit mode and no transaction is open, so the "
            "event would be kept even if the change is not: publish inside "
            "`with connection.transaction():`, where the change is made"
        )


def _refuse_autocommit_of_driver(connection: Connection) -> None:
    driver = connection.connection.driver_connection
    if isinstance(driver, psycopg.Connection | psycopg.AsyncConnection):
        _refuse_autocommit(driver)
    elif getattr(connection.connection.dbapi_connection, "autocommit", False) is True:
        raise TransactionMissing(
            "this SQLAlchemy connection has the isolation level AUTOCOMMIT, so the event would be "
            "kept even if the change is not: publish through a session that has a transaction"
        )


@cache
def _psycopg(name: str) -> bytes:
    return load(__package__, name)


@cache
def _sqlalchemy(statement: bytes) -> TextClause:
    return text(_PARAMETER.sub(r":\1", statement.decode()))
