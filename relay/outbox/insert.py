"""Puts rows into the outbox through whichever session the caller's transaction lives in.

What differs between sessions is how a transaction is recognized and how a statement is run. Each
library has a module of its own, which is imported for the first session of that library.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

from relay.outbox.drivers import comes_from
from relay.outbox.row import Row
from relay.outbox.statement import insert_of

__all__ = ["insert"]


def insert(session: object, rows: Sequence[Row], *, lock: bool) -> Coroutine[Any, Any, None] | None:
    """Writes `rows` in the transaction of `session`; a coroutine for asyncio's sessions.

    rows: none is allowed and writes nothing.
    lock: take the advisory lock of each row's aggregate first.
    Raises SchemaNotActive when the schema version of a row is not in use: then nothing was
    written and the transaction can go on. TransactionMissing for a connection in autocommit mode
    outside of a transaction, TypeError for anything that is not a session.
    """
    kind: Any = type(session)
    if comes_from("psycopg", kind):
        from relay.outbox import through_psycopg

        if through_psycopg.is_connection(session):
            return through_psycopg.run(session, insert_of(rows, lock=lock))
    elif comes_from("sqlalchemy", kind):
        from relay.outbox import through_sqlalchemy

        if through_sqlalchemy.is_connection(session):
            return through_sqlalchemy.run(session, insert_of(rows, lock=lock))
    raise TypeError(
        f"can't publish through {kind.__module__}.{kind.__qualname__}: pass the SQLAlchemy "
        "Session, AsyncSession, Connection or AsyncConnection, or the psycopg Connection or "
        "AsyncConnection, that the change is written with"
    )
