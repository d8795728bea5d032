"""outbox.publish, for services in any language."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from cuid2 import is_cuid
from psycopg.errors import CheckViolation, NullValueNotAllowed

from tests.integration.publishing import rows


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url) as connection:
        yield connection


def publish(connection: psycopg.Connection[Any], *arguments: Any) -> str:
    places = ", ".join(["%s"] * len(arguments))
    found = connection.execute(f"select outbox.publish({places})", arguments).fetchone()
    assert found is not None
    return str(found[0])


def test_an_event_published_by_sql_is_left_for_the_relay_to_encode(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    event_id = publish(connection, "order.noted", "order", "order-1", '{"note": "hi"}')
    connection.commit()
    [row] = rows(database_url)
    assert row["id"] == event_id
    assert is_cuid(event_id)
    assert len(event_id) == 24
    assert row["payload"] == {"note": "hi"}
    assert (row["schema_version"], row["avro"], row["fingerprint"]) == (None, None, None)
    assert row["occurred_at"] == row["created_at"]


def test_metadata_and_time_of_an_event_published_by_sql_are_the_callers(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    then = datetime(2026, 1, 1, tzinfo=UTC)
    metadata = '{"actorId": "u1", "correlationId": "c1", "causationId": null}'
    publish(connection, "order.noted", "order", "order-1", "{}", metadata, then)
    own = publish(connection, "order.noted", "order", "order-1", "{}", None, None)
    connection.commit()
    given, defaulted = rows(database_url)
    assert given["metadata"] == {"actorId": "u1", "correlationId": "c1"}
    assert given["occurred_at"] == then
    assert defaulted["metadata"] == {"correlationId": own}


def test_a_rolled_back_savepoint_takes_events_published_by_sql_along(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    with connection.transaction():
        publish(connection, "order.noted", "order", "order-1", "{}")
        with connection.transaction(force_rollback=True):
            publish(connection, "order.noted", "order", "order-2", "{}")
    assert [row["aggregate_id"] for row in rows(database_url)] == ["order-1"]


@pytest.mark.parametrize("missing", range(4))
def test_what_an_event_can_not_be_without_is_refused_by_name(
    connection: psycopg.Connection[Any], missing: int
) -> None:
    arguments: list[str | None] = ["order.noted", "order", "order-1", "{}"]
    arguments[missing] = None
    with pytest.raises(NullValueNotAllowed, match=r"outbox\.publish: event_type, aggregate_type"):
        publish(connection, *arguments)


@pytest.mark.parametrize("aggregate_id", ["", "a" * 1025])
def test_a_key_that_is_empty_or_too_long_is_refused(
    connection: psycopg.Connection[Any], aggregate_id: str
) -> None:
    with pytest.raises(CheckViolation, match="aggregate_id"):
        publish(connection, "order.noted", "order", aggregate_id, "{}")
