"""The connection as a handler gets it, and as it is taken back: nothing that a handler sets, leaves
open or ends reaches the next event (H41)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, NamedTuple, Self
from weakref import WeakKeyDictionary, WeakSet

import psycopg
from psycopg import sql
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import tuple_row

from relay.consume.failures import Fatal, Retryable
from relay.postgres.connect import HANDLERS_PREPARE

__all__ = [
    "TRANSACTION_ENDED",
    "HandlerAsyncConnection",
    "clean",
    "ends_transaction",
    "lent",
]

TRANSACTION_ENDED: Final = (
    "the handler ended its transaction, with COMMIT, ROLLBACK or the like: what it did until then "
    "is committed or undone, and the event is not settled. Let the group commit"
)
_SUSPECT: Final = re.compile(r"\b(?:commit|rollback|end|abort|begin|start|prepare)\b", re.I)
# Comments, strings, quoted names.
_QUOTED: Final = re.compile(
    r"--[^\n]*|/\*.*?\*/|\be'(?:\\.|''|[^'\\])*'|'(?:''|[^'])*'"
    r'|"(?:""|[^"])*"|\$(\w*)\$.*?\$\1\$',
    re.S | re.I,
)
_ENDS: Final = re.compile(
    r"\s*(?:commit|end|abort|begin|start\s+transaction|prepare\s+transaction"
    r"|rollback(?!\s+(?:(?:work|transaction)\s+)?to\b))\b",
    re.I,
)
_ROLE: Final = re.compile(r"\b(?:role|authorization)\b", re.I)
# What may outlast the transaction.
_SETS: Final = re.compile(
    r"(?:^|;)\s*(?:set|reset|declare|listen|call|do|load|discard)\b|\bset_config\b|advisory", re.I
)
# DISCARD ALL would also drop the server's cached plans.
_CLEAN: Final = (
    "reset session authorization; reset role; reset all; set datestyle to 'ISO'; close all; "
    "unlisten *; select pg_catalog.pg_advisory_unlock_all()"
)
# Connections whose handler may have set a role, and whose handlers may have set anything.
_other_roles: WeakSet[psycopg.Connection[Any]] = WeakSet()
_set: WeakSet[psycopg.Connection[Any]] = WeakSet()
# What the server had reported after the last handler.
_known: WeakKeyDictionary[psycopg.Connection[Any], list[bytes | None]] = WeakKeyDictionary()
# Settings that the server reports as soon as they change, search_path from PostgreSQL 18 on.
_REPORTED: Final = (
    b"search_path", b"TimeZone", b"DateStyle", b"IntervalStyle", b"client_encoding",
    b"standard_conforming_strings", b"default_transaction_read_only", b"session_authorization",
    b"is_superuser", b"application_name",
)  # fmt: skip


class _Effect(NamedTuple):
    """What statements do to more than their rows."""

    ends: bool
    sets: bool
    sets_role: bool


@lru_cache(maxsize=1_024)
def _effect(statements: str) -> _Effect:
    return _Effect(
        ends_transaction(statements),
        _SETS.search(statements) is not None,
        _ROLE.search(statements) is not None,
    )


def ends_transaction(statements: str) -> bool:
    """Whether one of several SQL statements ends a transaction, or begins one."""
    if _SUSPECT.search(statements) is None:
        return False
    plain = _QUOTED.sub(lambda found: " " if found[0][:2] in ("--", "/*") else "''", statements)
    return any(_ENDS.match(each) for each in plain.split(";"))


class _HandlerCursor(psycopg.Cursor[Any]):
    """Refuses to end the transaction, before the server does it: the effects of the events before
    it in a batch would be committed without their inbox rows."""

    def execute(self, query: Any, *args: Any, **options: Any) -> Self:
        """See psycopg.Cursor.execute."""
        _refuse(query, self)
        return super().execute(query, *args, **options)

    def executemany(self, query: Any, *args: Any, **options: Any) -> None:
        """See psycopg.Cursor.executemany."""
        _refuse(query, self)
        super().executemany(query, *args, **options)


class HandlerAsyncConnection(psycopg.AsyncConnection[Any]):
    """The asynchronous face of a connection that is in a transaction. face_of: that connection."""

    def __init__(self, face_of: psycopg.Connection[Any]) -> None:
        super().__init__(face_of.pgconn)
        self.face_of = face_of
        self._autocommit = True
        # As in a block of transaction(): commit() and rollback() are refused.
        self._num_transactions = 1
        # Statements would get the names of those that the other face has prepared.
        self.prepare_threshold = None
        self.cursor_factory = _HandlerAsyncCursor


class _HandlerAsyncCursor(psycopg.AsyncCursor[Any]):
    """As _HandlerCursor."""

    async def execute(self, query: Any, *args: Any, **options: Any) -> Self:
        """See psycopg.AsyncCursor.execute."""
        _refuse(query, self)
        return await super().execute(query, *args, **options)

    async def executemany(self, query: Any, *args: Any, **options: Any) -> None:
        """See psycopg.AsyncCursor.executemany."""
        _refuse(query, self)
        await super().executemany(query, *args, **options)


def _refuse(query: Any, cursor: psycopg.Cursor[Any] | psycopg.AsyncCursor[Any]) -> None:
    if isinstance(query, sql.Composable):
        text = query.as_string(cursor)
    elif isinstance(query, bytes):
        text = query.decode(errors="replace")
    else:
        text = query if isinstance(query, str) else ""
    effect = _effect(text)
    if effect.ends:
        raise Fatal(
            "a handler may not end or begin a transaction, the group commits for it. Take the "
            f"statement out, or use connection.transaction() for a savepoint: {text.strip()[:200]}"
        )
    connection: Any = cursor.connection
    if isinstance(connection, HandlerAsyncConnection):
        connection = connection.face_of
    if effect.sets_role:
        _other_roles.add(connection)
    if effect.sets:
        _set.add(connection)


def clean(connection: psycopg.Connection[Any]) -> None:
    """Takes back what handlers have set in the session before, outside of a transaction.

    Raises psycopg.Error.
    """
    if connection in _set:
        connection.execute(_CLEAN)
        _set.discard(connection)
        _known.pop(connection, None)


@contextmanager
def lent(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Lends the connection to a handler, in the middle of a transaction.

    Raises Fatal or Retryable where the handler returned and the transaction can't be committed for
    it.
    """
    connection.cursor_factory = _HandlerCursor
    before = _known.get(connection) or _reported(connection)
    try:
        yield
    finally:
        reported = _known[connection] = _reported(connection)
        if reported != before:
            _set.add(connection)  # by a function
        pipeline = connection.info.pipeline_status
        connection.cursor_factory = psycopg.Cursor
        connection.server_cursor_factory = psycopg.ServerCursor
        connection.row_factory = tuple_row
        connection.prepare_threshold = HANDLERS_PREPARE
        connection._adapters = None  # psycopg makes them anew from the global ones
    if pipeline != PipelineStatus.OFF:
        raise Fatal("the handler left connection.pipeline() open. Use it with `with`")
    _refuse_ended(connection)
    if connection in _other_roles:
        # The relay's own tables are not for each role that a handler may take on.
        _other_roles.discard(connection)
        connection.execute("reset session authorization; reset role")
        _known.pop(connection, None)


def _reported(connection: psycopg.Connection[Any]) -> list[bytes | None]:
    status = connection.pgconn.parameter_status
    return [status(name) for name in _REPORTED]


def _refuse_ended(connection: psycopg.Connection[Any]) -> None:
    """Raises Retryable where a database error that the handler swallowed has failed the
    transaction, and Fatal where it has ended it.

    PostgreSQL answers COMMIT of a failed transaction with a silent rollback: inbox row and effects
    would be gone while the event counted as done.
    """
    status = connection.info.transaction_status
    if status == TransactionStatus.IDLE:
        raise Fatal(TRANSACTION_ENDED)
    if status != TransactionStatus.INTRANS:
        raise Retryable(
            "the handler returned although a database error had ended its transaction. "
            "Let the error out, or guard the statement with connection.transaction()"
        )
