"""The bus that services publish their events on."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

from relay.outbox.context import EventContext, current_context, event_context
from relay.outbox.insert import insert_of
from relay.outbox.row import NewRow, row_of

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
    from sqlalchemy.orm import Session, scoped_session

    from relay.events import DomainEvent

    AnySession: TypeAlias = Session | scoped_session[Any] | Connection | psycopg.Connection[Any]
    AnyAsyncSession: TypeAlias = (
        AsyncSession | async_scoped_session[Any] | AsyncConnection | psycopg.AsyncConnection[Any]
    )

__all__ = ["DomainEventBus", "EventContext", "current_context", "event_context"]

Result = TypeVar("Result")


class DomainEventBus:
    """Writes events to the outbox in the caller's own transaction.

    It has no state: publish on the class or on an instance, from any thread or task. Only the
    caller's commit decides whether an event is published.
    """

    @overload
    @staticmethod
    def publish(session: AnySession, event: DomainEvent, *, lock: bool = True) -> str: ...

    @overload
    @staticmethod
    def publish(
        session: AnyAsyncSession, event: DomainEvent, *, lock: bool = True
    ) -> Coroutine[Any, Any, str]: ...

    @staticmethod
    def publish(
        session: AnySession | AnyAsyncSession, event: DomainEvent, *, lock: bool = True
    ) -> str | Coroutine[Any, Any, str]:
        """Writes `event` in the transaction of `session` and returns its id, a Cuid2.

        session: SQLAlchemy Session or Connection, or psycopg Connection. For their asynchronous
        forms the id is to be awaited. Pending changes of a Session are flushed first. Nothing is
        committed; a savepoint that is rolled back takes its events along.
        lock: take the aggregate's advisory lock until the transaction ends, so that events of
        concurrent transactions are published in the order of their commits. Switch it off where
        the transaction already holds a lock of its own on the aggregate.

        Raises PayloadInvalid when the event does not fit its schema: then nothing was sent to
        the database, and the transaction can go on. TransactionMissing when the connection is in
        autocommit mode and no transaction is open. CatalogInvalid when the event's class was
        generated from another schema. Errors of the driver pass through as they are.
        """
        row = row_of(event)
        return _then(_insert(session, [row], lock=lock), row["id"])

    @overload
    @staticmethod
    def publish_many(
        session: AnySession, events: Iterable[DomainEvent], *, lock: bool = True
    ) -> list[str]: ...

    @overload
    @staticmethod
    def publish_many(
        session: AnyAsyncSession, events: Iterable[DomainEvent], *, lock: bool = True
    ) -> Coroutine[Any, Any, list[str]]: ...

    @staticmethod
    def publish_many(
        session: AnySession | AnyAsyncSession,
        events: Iterable[DomainEvent],
        *,
        lock: bool = True,
    ) -> list[str] | Coroutine[Any, Any, list[str]]:
        """Writes `events` in one statement, numbered in their order; returns their ids.

        As `publish`, all or none: one event that does not fit keeps all of them out. With `lock`
        each aggregate's lock is taken, in one order for all publishers; a transaction can hold
        some thousands (max_locks_per_transaction x max_connections), so publish a larger bulk
        with lock=False under a lock of your own. Raises BulkTooLarge for more than 512 MB of JSON;
        then nothing was sent to the database, and the transaction can go on.
        """
        rows = [row_of(event) for event in events]
        return _then(_insert(session, rows, lock=lock), [row["id"] for row in rows])


def _then(
    running: Coroutine[Any, Any, None] | None, result: Result
) -> Result | Coroutine[Any, Any, Result]:
    """Returns `result`, or a coroutine for it if `running` has to be awaited."""
    return result if running is None else _await_then(running, result)


async def _await_then(running: Coroutine[Any, Any, None], result: Result) -> Result:
    await running
    return result


def _insert(
    session: object, rows: Sequence[NewRow], *, lock: bool
) -> Coroutine[Any, Any, None] | None:
    """Writes `rows` in the transaction of `session`; a coroutine for asyncio's sessions.

    rows: may be empty.
    lock: take the advisory lock of each row's aggregate first.
    Raises SchemaNotActive if the schema version of a row is not in use; then nothing was written
    and the transaction can go on. TransactionMissing for a connection in autocommit mode outside
    of a transaction, TypeError for anything that is not a session.
    """
    kind: Any = type(session)
    if _comes_from("psycopg", kind):
        from relay.outbox import through_psycopg

        if through_psycopg.is_connection(session):
            return through_psycopg.run(session, insert_of(rows, lock=lock))
    elif _comes_from("sqlalchemy", kind):
        from relay.outbox import through_sqlalchemy

        if through_sqlalchemy.is_connection(session):
            return through_sqlalchemy.run(session, insert_of(rows, lock=lock))
    raise TypeError(
        f"can't publish through {kind.__module__}.{kind.__qualname__}: pass the SQLAlchemy "
        "Session, AsyncSession, Connection or AsyncConnection, or the psycopg Connection or "
        "AsyncConnection, that the change is written with"
    )


@lru_cache(maxsize=256)
def _comes_from(package: str, kind: Any) -> bool:
    """Checks whether a class or one of its bases is defined in `package`, without importing it."""
    return any(base.__module__.partition(".")[0] == package for base in kind.__mro__)
