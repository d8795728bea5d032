"""Publishing under a schema version that is not in use is refused, and costs no round trip."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest
import sqlalchemy
from psycopg.errors import ObjectNotInPrerequisiteState
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from relay.bus import DomainEventBus
from relay.errors import SchemaNotActive
from relay.postgres.connect import sqlalchemy_url
from relay.schema.approvals import store
from relay.schema.catalog import State
from tests.integration.publishing import NOTED_SCHEMA, OrderNoted, noted, notes, rows
from tests.integration.reviewing import EVENT_TYPE, Connection, bring, version

ONE = version(1, NOTED_SCHEMA)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url) as connection:
        yield connection


@pytest.mark.parametrize("state", [State.ACTIVE, State.DEPRECATED])
def test_events_are_published_under_versions_in_use(
    database_url: str, connection: Connection, state: State
) -> None:
    bring(connection, ONE, state)
    DomainEventBus.publish(connection, noted(note="one"))
    DomainEventBus.publish_many(connection, [noted(note="two"), noted(note="three")])
    connection.commit()
    assert notes(database_url) == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.PROPOSED, ["is proposed", "relay schemas approve"]),
        (State.APPROVED, ["is approved", "relay schemas activate"]),
        (State.RETIRED, ["is retired", "new version"]),
    ],
)
def test_an_event_under_another_version_is_refused_with_the_reason_and_the_transaction_goes_on(
    database_url: str, connection: Connection, state: State, words: list[str]
) -> None:
    bring(connection, ONE, state)
    connection.execute("create table changes (number int)")
    with pytest.raises(SchemaNotActive) as refused:
        DomainEventBus.publish(connection, noted())
    with pytest.raises(SchemaNotActive):
        DomainEventBus.publish_many(connection, [noted(), noted()])
    connection.execute("insert into changes values (1)")
    connection.commit()
    assert str(refused.value).startswith("order.noted version 1 ")
    assert [word for word in words if word not in str(refused.value)] == []
    assert connection.execute("select number from changes").fetchall() == [(1,)]
    assert rows(database_url) == []


def test_events_are_published_by_the_catalog_until_the_review_begins(
    database_url: str, connection: Connection
) -> None:
    DomainEventBus.publish(connection, noted(note="as before"))
    connection.commit()
    assert notes(database_url) == ["as before"]


def test_an_event_type_that_nobody_decided_about_is_refused_once_any_other_is_known(
    database_url: str, connection: Connection
) -> None:
    bring(connection, replace(ONE, event_type="order.paid"), State.PROPOSED)
    with pytest.raises(SchemaNotActive, match=r"nobody has decided about .*'order\.noted'.*adopt"):
        DomainEventBus.publish(connection, noted())
    with pytest.raises(SchemaNotActive, match="nobody has decided"):
        DomainEventBus.publish_many(connection, [noted(), noted()])
    connection.commit()
    assert rows(database_url) == []


def test_a_version_that_was_never_proposed_is_refused_and_the_one_in_use_is_named(
    connection: Connection,
) -> None:
    bring(connection, version(7), State.ACTIVE)
    with pytest.raises(SchemaNotActive, match=r"not known.*relay schemas propose; in use: 7"):
        DomainEventBus.publish(connection, noted())


def test_a_class_of_another_schema_than_the_approved_one_is_refused(
    connection: Connection,
) -> None:
    bring(connection, version(1), State.ACTIVE)
    with pytest.raises(SchemaNotActive, match="another schema here than the one that was approved"):
        DomainEventBus.publish(connection, noted())


def test_one_event_under_a_version_not_in_use_keeps_all_of_a_bulk_out(
    database_url: str, connection: Connection
) -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Newer(OrderNoted):
        SCHEMA_VERSION = 2
        SCHEMA = {**NOTED_SCHEMA, "doc": "newer"}  # noqa: RUF012

    bring(connection, ONE, State.ACTIVE)
    bring(connection, version(2, Newer.SCHEMA), State.APPROVED)
    newer = Newer(aggregate_id="1", order_id="1", note="", labels={})
    with pytest.raises(SchemaNotActive, match=r"order\.noted version 2 is approved"):
        DomainEventBus.publish_many(connection, [noted(), newer])
    connection.commit()
    assert rows(database_url) == []


def by_session(url: str, event: OrderNoted) -> None:
    engine = sqlalchemy.create_engine(sqlalchemy_url(url))
    try:
        with Session(engine) as session, session.begin():
            DomainEventBus.publish(session, event)
    finally:
        engine.dispose()


def by_async_session(url: str, event: OrderNoted) -> None:
    async def run() -> None:
        engine = create_async_engine(sqlalchemy_url(url))
        try:
            async with AsyncSession(engine) as session, session.begin():
                await DomainEventBus.publish(session, event)
        finally:
            await engine.dispose()

    asyncio.run(run())


def by_async_connection(url: str, event: OrderNoted) -> None:
    async def run() -> None:
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await DomainEventBus.publish(connection, event)

    asyncio.run(run())


def by_pipeline(url: str, event: OrderNoted) -> None:
    with psycopg.connect(url) as connection, connection.pipeline():
        connection.execute("create temporary table changes (number int)")
        DomainEventBus.publish(connection, event)


def by_async_pipeline(url: str, event: OrderNoted) -> None:
    async def run() -> None:
        async with (
            await psycopg.AsyncConnection.connect(url) as connection,
            connection.pipeline(),
        ):
            await DomainEventBus.publish(connection, event)

    asyncio.run(run())


@pytest.mark.parametrize(
    "publish", [by_session, by_async_session, by_async_connection, by_pipeline, by_async_pipeline]
)
def test_every_kind_of_session_publishes_and_refuses_alike(
    database_url: str, connection: Connection, publish: Callable[[str, OrderNoted], None]
) -> None:
    bring(connection, ONE, State.ACTIVE)
    connection.commit()
    publish(database_url, noted(note="in use"))
    store.deprecate(connection, EVENT_TYPE, 1, "anna", None, sunset=None)
    seen = State.DEPRECATED
    store.retire(connection, EVENT_TYPE, 1, "anna", None, seen=seen, forced=False)
    connection.commit()
    with pytest.raises(SchemaNotActive, match=r"order\.noted version 1 is retired"):
        publish(database_url, noted(note="too late"))
    assert notes(database_url) == ["in use"]
    assert notes(database_url) == ["in use"]


def test_the_statement_that_writes_the_row_checks_the_state(
    database_url: str, connection: Connection
) -> None:
    bring(connection, ONE, State.ACTIVE)
    connection.commit()
    sent: list[str] = []
    engine = sqlalchemy.create_engine(sqlalchemy_url(database_url))
    sqlalchemy.event.listen(
        engine, "before_cursor_execute", lambda _c, _k, statement, *_: sent.append(statement)
    )
    with engine.begin() as one:
        DomainEventBus.publish(one, noted())
        DomainEventBus.publish_many(one, [noted(), noted()])
    engine.dispose()
    assert len(sent) == 2
    assert len(rows(database_url)) == 3


def test_a_writer_is_refused_too_and_may_read_no_more_than_it_takes(
    connection: Connection,
) -> None:
    bring(connection, ONE, State.PROPOSED)
    connection.execute("set role outbox_writer")
    with pytest.raises(SchemaNotActive, match="is proposed"):
        DomainEventBus.publish(connection, noted())
    for query in ("select text from outbox.schema_versions", "select from outbox.schema_history",
                  "update outbox.schema_versions set state = 'active'"):  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute(query)


def publish_by_sql(connection: psycopg.Connection[Any]) -> None:
    connection.execute("select outbox.publish('order.noted', 'order', 'order-1', '{}')")


def test_sql_keeps_the_version_that_is_active_when_it_writes(
    database_url: str, connection: Connection
) -> None:
    publish_by_sql(connection)
    bring(connection, ONE, State.ACTIVE)
    publish_by_sql(connection)
    bring(connection, version(2), State.ACTIVE)
    publish_by_sql(connection)
    connection.commit()
    assert [row["schema_version"] for row in rows(database_url)] == [None, 1, 2]


@pytest.mark.parametrize("state", [State.PROPOSED, State.APPROVED, State.DEPRECATED, State.RETIRED])
def test_sql_is_refused_while_no_version_is_active(connection: Connection, state: State) -> None:
    bring(connection, ONE, state)
    with pytest.raises(ObjectNotInPrerequisiteState, match="no active schema version") as refused:
        publish_by_sql(connection)
    assert "relay schemas activate" in (refused.value.diag.message_hint or "")


def test_sql_names_no_version_while_each_of_two_subjects_has_an_active_one(
    database_url: str, connection: Connection
) -> None:
    bring(connection, ONE, State.ACTIVE)
    moved = replace(version(2), subject="events.sales-relay.events.tests.OrderNoted")
    assert store.propose(connection, moved, "anna", None)
    assert store.approve(connection, moved, "ben", "its domain is another")
    assert store.activate(connection, moved, "anna", None, replaces=None)
    publish_by_sql(connection)
    connection.commit()
    assert [row["schema_version"] for row in rows(database_url)] == [None]


@pytest.mark.parametrize(
    "made", [psycopg.rows.dict_row, psycopg.rows.namedtuple_row, psycopg.rows.scalar_row]
)
def test_a_refusal_is_the_same_whatever_rows_the_connection_makes(
    database_url: str, connection: Connection, made: Any
) -> None:
    bring(connection, version(7), State.ACTIVE)
    connection.commit()

    async def publish_async() -> None:
        async with await psycopg.AsyncConnection.connect(database_url, row_factory=made) as own:
            await DomainEventBus.publish(own, noted())

    with (
        pytest.raises(SchemaNotActive, match="in use: 7"),
        psycopg.connect(database_url, row_factory=made) as own,
    ):
        DomainEventBus.publish(own, noted())
    with pytest.raises(SchemaNotActive, match="in use: 7"):
        asyncio.run(publish_async())
