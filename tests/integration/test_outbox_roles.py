"""The writers' role (H3): it may add events and do nothing else, not even read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from relay.bus import DomainEventBus
from relay.operate.outbox_checks import check_outbox
from relay.postgres.migrate import migrate
from tests.integration.publishing import noted, rows

COLUMNS = "id, event_type, aggregate_type, aggregate_id, payload"
VALUES = ("an-id", "order.noted", "order", "order-1", "{}")


@pytest.fixture
def writer(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection that may do what a publishing service may; it has one event committed."""
    with psycopg.connect(database_url) as connection:
        connection.execute("set role outbox_writer")
        DomainEventBus.publish(connection, noted())
        connection.commit()
        yield connection
        connection.rollback()


def copy(connection: psycopg.Connection[Any], columns: str, row: tuple[Any, ...]) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy outbox.domain_events ({columns}) from stdin") as stream,
    ):
        stream.write_row(row)


def test_a_writer_may_publish_by_function_insert_and_copy(
    database_url: str, writer: psycopg.Connection[Any]
) -> None:
    writer.execute("select outbox.publish('order.noted', 'order', 'order-1', '{}')")
    DomainEventBus.publish_many(writer, [noted(), noted()])
    copy(writer, COLUMNS, VALUES)
    writer.execute(
        "insert into outbox.domain_events (event_type, aggregate_type, aggregate_id, payload) "
        "values ('order.noted', 'order', 'order-1', '{}')"
    )
    writer.commit()
    written = rows(database_url)
    assert len(written) == 6
    assert all(row["seq"] and row["xid"] for row in written)


@pytest.mark.parametrize(
    "statement",
    [
        "update outbox.domain_events set payload = '{}'",
        "update outbox.domain_events set xid = '3'",
        "delete from outbox.domain_events",
        "truncate outbox.domain_events",
        "select from outbox.domain_events for update",
        "select id from outbox.domain_events",
        "select id from outbox.domain_event_status",
        f"insert into outbox.domain_events (xid, {COLUMNS}) "
        "values ('99', 'an-id', 'order.noted', 'order', 'order-1', '{}')",
        f"insert into outbox.domain_events (seq, {COLUMNS}) overriding system value "
        "values (99, 'an-id', 'order.noted', 'order', 'order-1', '{}')",
        "select setval('outbox.domain_events_seq_seq', 1)",
        "insert into outbox.deliveries (seq, topic) values (1, 'events.orders')",
        "insert into outbox.holds (seq, event_id, shard, aggregate_type, aggregate_id, state, "
        "error) values (1, 'a', 0, 'a', 'a', 'dead', '')",
    ],
)
def test_a_writer_may_not_read_change_delete_or_number_events(
    writer: psycopg.Connection[Any], statement: str
) -> None:
    with pytest.raises(InsufficientPrivilege):
        writer.execute(statement)


@pytest.mark.parametrize("column", ["xid", "seq"])
def test_a_writer_may_not_copy_foreign_transaction_ids_or_numbers(
    writer: psycopg.Connection[Any], column: str
) -> None:
    with pytest.raises(InsufficientPrivilege):
        copy(writer, f"{column}, {COLUMNS}", (99, *VALUES))


def test_a_role_that_came_after_the_tables_may_publish_once_it_is_migrated_again(
    database_url: str,
) -> None:
    # Given a database whose grants to the role were lost, as in a restore into another server
    with psycopg.connect(database_url, autocommit=True) as connection:
        for granted in ("all tables in schema outbox", "schema outbox"):
            connection.execute(f"revoke all on {granted} from outbox_writer")
        connection.execute("set role outbox_writer")
        with pytest.raises(InsufficientPrivilege):
            copy(connection, COLUMNS, VALUES)
        connection.execute("reset role")
        # When it is migrated again
        migrate(database_url)
        # Then the role may publish, and no more than before
        assert not [found for found in check_outbox(connection) if found.check == "roles"]
    with psycopg.connect(database_url) as connection:
        connection.execute("set role outbox_writer")
        DomainEventBus.publish(connection, noted())
        connection.commit()
        with pytest.raises(InsufficientPrivilege):
            connection.execute("delete from outbox.domain_events")
