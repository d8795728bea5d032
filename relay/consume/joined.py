"""Other faces of a handler's connection: asynchronous, and SQLAlchemy's sessions.

All of them write in the one transaction that the group commits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import psycopg

from relay.consume.failures import Fatal
from relay.consume.handler_session import TRANSACTION_ENDED, HandlerAsyncConnection

if TYPE_CHECKING:
    import sqlalchemy
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
    from sqlalchemy.orm import Session

__all__ = ["Faces", "faces_of"]

_NAME: Final = "_relay_faces"
_MODE: Final = "create_savepoint"


def faces_of(connection: psycopg.Connection[Any]) -> Faces:
    """The faces of a connection; they live as long as it does."""
    found: Faces | None = vars(connection).get(_NAME)
    if found is None:
        found = Faces(connection)
        setattr(connection, _NAME, found)
    return found


class Faces:
    """Made when they are first asked for; they belong to the connection's thread.

    A session's commit() ends a savepoint, and its rollback() goes back to it.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._asynchronous: HandlerAsyncConnection | None = None
        self._orm: sqlalchemy.Connection | None = None
        self._async_orm: AsyncConnection | None = None

    def asynchronous(self) -> HandlerAsyncConnection:
        """The connection for handlers that are asynchronous."""
        if self._asynchronous is None:
            self._asynchronous = HandlerAsyncConnection(self._connection)
        return self._asynchronous

    def session(self) -> Session:
        """A new Session of SQLAlchemy."""
        from sqlalchemy import StaticPool, create_engine
        from sqlalchemy.orm import Session

        if self._orm is None or not _is_joined(self._orm):
            engine = create_engine(
                "postgresql+psycopg://",
                creator=lambda: self._connection,
                poolclass=StaticPool,
                **_OPTIONS,
            )
            self._orm = engine.connect()
            self._orm.begin()
        return Session(self._orm, join_transaction_mode=_MODE)

    async def async_session(self) -> AsyncSession:
        """A new AsyncSession of SQLAlchemy; always in one event loop."""
        from sqlalchemy import StaticPool
        from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

        async def connect(*_: Any, **__: Any) -> HandlerAsyncConnection:
            return self.asynchronous()

        if self._async_orm is None or not _is_joined(self._async_orm):
            engine = create_async_engine(
                "postgresql+psycopg://", async_creator=connect, poolclass=StaticPool, **_OPTIONS
            )
            self._async_orm = await engine.connect()
            await self._async_orm.begin()
        return AsyncSession(self._async_orm, join_transaction_mode=_MODE)

    def refuse_ended(self) -> None:
        """Raises Fatal where a handler has ended the transaction below a session, which SQLAlchemy
        then takes for over."""
        orms = [orm for orm in (self._orm, self._async_orm) if orm is not None]
        if not all(_is_joined(orm) for orm in orms):
            raise Fatal(TRANSACTION_ENDED)


def _is_joined(orm: sqlalchemy.Connection | AsyncConnection) -> bool:
    """Whether SQLAlchemy takes the transaction for open, as it is until a handler ends it there."""
    transaction = orm.get_transaction()
    return transaction is not None and transaction.is_active


# The group's transaction is not SQLAlchemy's to end. Types of hstore would be looked up at once.
_OPTIONS: Final[dict[str, Any]] = {
    "use_native_hstore": False,
    "skip_autocommit_rollback": True,
}
