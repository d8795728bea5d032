"""Functions that somebody planted in a publisher's search_path take no part in publishing."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.integration.publishing import rows

LOCK = "select outbox.aggregate_lock('order', 'order-1')"
SHARD = "select outbox.shard_of('order-1', 16)"
QUEUE = "select inbox.queue('billing', 'events.orders', 'order-1')"
PUBLISH = "select outbox.publish('order.noted', 'order', 'order-1', '{}')"


@pytest.fixture
def planted(database_url: str) -> psycopg.Connection[Any]:
    """Has functions in its search_path that fit calls better than PostgreSQL's own."""
    connection = psycopg.connect(database_url)
    connection.execute("create schema planted")
    connection.execute(
        "create function planted.hashtextextended(text, integer) returns bigint "
        "language sql immutable as 'select 1::bigint'"
    )
    connection.execute(
        "create function planted.jsonb_build_object(text, text) returns jsonb "
        "language sql immutable as $$ select '{}'::jsonb $$"
    )
    connection.commit()
    return connection


@pytest.mark.parametrize("statement", [LOCK, QUEUE, SHARD])
def test_locks_and_shards_are_the_same_whatever_the_search_path_has(
    planted: psycopg.Connection[Any], statement: str
) -> None:
    with planted as connection:
        usual = connection.execute(statement).fetchone()
        connection.execute("set search_path = planted, public")
        assert connection.execute(statement).fetchone() == usual


def test_an_event_of_sql_keeps_its_correlation_whatever_the_search_path_has(
    planted: psycopg.Connection[Any], database_url: str
) -> None:
    with planted as connection:
        connection.execute("set search_path = planted, public")
        connection.execute(PUBLISH)
    (row,) = rows(database_url)
    assert row["metadata"] == {"correlationId": row["id"]}
