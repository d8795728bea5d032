"""The bus that services publish their events on."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

from relay.outbox.context import EventContext, current_context, event_context
from relay.outbox.insert import insert
from relay.outbox.row import row_of

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

    It keeps no state: publish on the class or on an instance, from any thread or task. Whether
    an event is ever published is decided by the caller's commit and nothing else.
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
        return _then(insert(session, [row], lock=lock), row["id"])

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
        """Writes `events` in one statement, numbered in their order; their ids in that order.

        As `publish`, all or none: one event that does not fit keeps all of them out. With `lock`
        each aggregate's lock is taken, in one order for all publishers; a transaction can hold
        some thousands (max_locks_per_transaction x max_connections), so publish a larger bulk
        with lock=False under a lock of your own.
        """
        rows = [row_of(event) for event in events]
        return _then(insert(session, rows, lock=lock), [row["id"] for row in rows])


def _then(
    running: Coroutine[Any, Any, None] | None, result: Result
) -> Result | Coroutine[Any, Any, Result]:
    """`result`, at once or when what is still running has ended."""
    return result if running is None else _await_then(running, result)


async def _await_then(running: Coroutine[Any, Any, None], result: Result) -> Result:
    await running
    return result
