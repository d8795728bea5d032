"""publish joins the transaction of whatever session it is given, and never ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    scoped_session,
    sessionmaker,
)

from relay.bus import DomainEventBus
from relay.errors import BulkTooLarge, TransactionMissing
from relay.outbox import insert
from relay.postgres.connect import libpq_url, sqlalchemy_url
from tests.integration.publishing import noted, notes, rows


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[str] = mapped_column(primary_key=True)


class HandlerFailed(Exception):
    """Leaves a savepoint so that it is rolled back."""


@contextmanager
def psycopg_connection(url: str) -> Iterator[Any]:
    with psycopg.connect(libpq_url(url)) as connection:
        yield connection


@contextmanager
def sqlalchemy_engine(url: str, **options: Any) -> Iterator[sqlalchemy.Engine]:
    engine = sqlalchemy.create_engine(sqlalchemy_url(url), **options)
    yield engine
    engine.dispose()


@contextmanager
def sqlalchemy_connection(url: str) -> Iterator[Any]:
    with sqlalchemy_engine(url) as engine, engine.connect() as connection:
        yield connection


@contextmanager
def sqlalchemy_session(url: str) -> Iterator[Any]:
    with sqlalchemy_engine(url) as engine, Session(engine) as session:
        yield session


@contextmanager
def sqlalchemy_scoped_session(url: str) -> Iterator[Any]:
    with sqlalchemy_engine(url) as engine:
        registry = scoped_session(sessionmaker(engine))
        yield registry
        registry.remove()


@dataclass(frozen=True)
class Way:
    """One kind of session: how it is opened, and how it opens a savepoint."""

    open: Callable[[str], AbstractContextManager[Any]]
    savepoint: Callable[[Any], AbstractContextManager[Any]]


WAYS = {
    "psycopg": Way(psycopg_connection, lambda session: session.transaction()),
    "sqlalchemy-connection": Way(sqlalchemy_connection, lambda session: session.begin_nested()),
    "sqlalchemy-session": Way(sqlalchemy_session, lambda session: session.begin_nested()),
    "scoped-session": Way(sqlalchemy_scoped_session, lambda session: session.begin_nested()),
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


def test_an_event_is_there_once_the_caller_commits_and_not_before(
    database_url: str, way: Way
) -> None:
    with way.open(database_url) as session:
        event_id = DomainEventBus.publish(session, noted())
        assert rows(database_url) == []
        session.commit()
        assert [row["id"] for row in rows(database_url)] == [event_id]


def test_a_rolled_back_transaction_takes_its_events_along(database_url: str, way: Way) -> None:
    with way.open(database_url) as session:
        DomainEventBus.publish(session, noted())
        session.rollback()
        DomainEventBus.publish_many(session, [noted(note="kept")])
        session.commit()
    assert notes(database_url) == ["kept"]


def test_a_rolled_back_savepoint_takes_its_events_along(database_url: str, way: Way) -> None:
    with way.open(database_url) as session:
        DomainEventBus.publish(session, noted(note="before"))
        with suppress(HandlerFailed), way.savepoint(session):
            DomainEventBus.publish(session, noted(note="inside"))
            raise HandlerFailed
        with way.savepoint(session):
            DomainEventBus.publish(session, noted(note="released"))
        session.commit()
    written = rows(database_url)
    assert [row["payload"]["note"] for row in written] == ["before", "released"]
    # Capture knows only of transactions, so a savepoint's rows carry the transaction's id.
    assert len({row["xid"] for row in written}) == 1


def test_many_events_are_numbered_in_the_order_they_were_given(database_url: str, way: Way) -> None:
    events = [noted(f"order-{n % 7}", str(n)) for n in range(300)]
    with way.open(database_url) as session:
        ids = DomainEventBus.publish_many(session, events)
        assert DomainEventBus.publish_many(session, []) == []
        session.commit()
    written = rows(database_url)
    assert [row["id"] for row in written] == ids
    assert [row["payload"]["note"] for row in written] == [str(n) for n in range(300)]


def test_pending_changes_of_a_session_are_flushed_before_its_event(database_url: str) -> None:
    with sqlalchemy_engine(database_url) as engine:
        Base.metadata.create_all(engine)
        with Session(engine, autoflush=False) as session:
            order = Order(id="order-1")
            session.add(order)
            DomainEventBus.publish(session, noted())
            assert sqlalchemy.inspect(order).persistent
            session.commit()
    assert len(rows(database_url)) == 1


def test_a_change_that_the_database_refuses_stops_its_event(database_url: str) -> None:
    with sqlalchemy_engine(database_url) as engine:
        Base.metadata.create_all(engine)
        with Session(engine) as session, session.begin():
            session.add(Order(id="order-1"))
        with Session(engine) as session:
            session.add(Order(id="order-1"))
            with pytest.raises(sqlalchemy.exc.IntegrityError):
                DomainEventBus.publish(session, noted())
            session.rollback()
    assert rows(database_url) == []


def test_a_session_with_two_phases_keeps_its_event_until_the_second(database_url: str) -> None:
    with (
        sqlalchemy_engine(database_url) as engine,
        Session(engine, twophase=True) as session,
    ):
        DomainEventBus.publish(session, noted())
        session.prepare()
        assert rows(database_url) == []
        session.commit()
    assert len(rows(database_url)) == 1


def test_asynchronous_sessions_give_the_id_when_awaited(database_url: str) -> None:
    async def publish_through_each() -> list[str]:
        engine = create_async_engine(sqlalchemy_url(database_url))
        ids = []
        async with AsyncSession(engine) as session:
            session.add(Order(id="order-1"))
            ids.append(await DomainEventBus.publish(session, noted()))
            ids += await DomainEventBus.publish_many(session, [noted(), noted()])
            await session.commit()
            await DomainEventBus.publish(session, noted(note="never"))
            await session.rollback()
        async with engine.begin() as connection:
            ids.append(await DomainEventBus.publish(connection, noted()))
        await engine.dispose()
        async with await psycopg.AsyncConnection.connect(libpq_url(database_url)) as connection:
            ids.append(await DomainEventBus.publish(connection, noted()))
        return ids

    with sqlalchemy_engine(database_url) as engine:
        Base.metadata.create_all(engine)
    ids = asyncio.run(publish_through_each())
    assert [row["id"] for row in rows(database_url)] == ids
    with psycopg.connect(libpq_url(database_url)) as connection:
        assert connection.execute("select id from orders").fetchall() == [("order-1",)]


def test_a_connection_that_commits_each_statement_is_refused(database_url: str) -> None:
    with psycopg.connect(libpq_url(database_url), autocommit=True) as connection:
        with pytest.raises(TransactionMissing, match=r"with connection\.transaction\(\)"):
            DomainEventBus.publish(connection, noted())
        with connection.transaction():
            DomainEventBus.publish(connection, noted(note="psycopg"))
    with (
        sqlalchemy_engine(database_url, isolation_level="AUTOCOMMIT") as engine,
        Session(engine) as session,
        pytest.raises(TransactionMissing),
    ):
        DomainEventBus.publish(session, noted())
    assert notes(database_url) == ["psycopg"]


def test_an_asynchronous_connection_that_commits_each_statement_is_refused(
    database_url: str,
) -> None:
    async def publish() -> None:
        url = libpq_url(database_url)
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            with pytest.raises(TransactionMissing):
                await DomainEventBus.publish(connection, noted())
        engine = create_async_engine(sqlalchemy_url(database_url), isolation_level="AUTOCOMMIT")
        async with AsyncSession(engine) as session:
            with pytest.raises(TransactionMissing):
                await DomainEventBus.publish(session, noted())
        await engine.dispose()

    asyncio.run(publish())
    assert rows(database_url) == []


def test_a_pipeline_with_a_statement_under_way_is_refused_unless_it_has_a_transaction(
    database_url: str,
) -> None:
    url = libpq_url(database_url)

    async def publish() -> None:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            async with connection.pipeline():
                await connection.execute("select 1")
                with pytest.raises(TransactionMissing):
                    await DomainEventBus.publish(connection, noted())
            async with connection.pipeline(), connection.transaction():
                await DomainEventBus.publish(connection, noted(note="asynchronous"))

    with psycopg.connect(url, autocommit=True) as connection:
        with connection.pipeline():
            connection.execute("select 1")
            with pytest.raises(TransactionMissing):
                DomainEventBus.publish(connection, noted())
        with connection.pipeline(), connection.transaction():
            DomainEventBus.publish(connection, noted(note="synchronous"))
    asyncio.run(publish())
    assert notes(database_url) == ["synchronous", "asynchronous"]


def test_a_bulk_that_is_too_large_for_one_statement_is_refused_and_the_transaction_goes_on(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(insert, "MOST_BYTES", 10_000)
    with psycopg_connection(database_url) as connection:
        with pytest.raises(BulkTooLarge, match=r"^100 events are [\d,]+ bytes of JSON, and one"):
            DomainEventBus.publish_many(connection, [noted(note="n" * 200)] * 100)
        DomainEventBus.publish_many(connection, [noted(), noted()])
        connection.commit()
    assert len(rows(database_url)) == 2


def test_something_that_is_not_a_session_is_refused_by_name(database_url: str) -> None:
    with sqlalchemy_engine(database_url) as engine, pytest.raises(TypeError, match="Engine"):
        DomainEventBus.publish(engine, noted())  # type: ignore[call-overload]


def test_something_that_is_not_an_event_is_refused_by_name(database_url: str) -> None:
    with psycopg_connection(database_url) as connection, pytest.raises(TypeError, match="dict"):
        DomainEventBus.publish(connection, {"orderId": "1"})  # type: ignore[call-overload]
