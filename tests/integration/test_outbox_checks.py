"""What `relay doctor` finds wrong with an outbox."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from relay.bus import DomainEventBus
from relay.operate.outbox_checks import CheckResult, check_outbox
from tests.integration.publishing import noted
from tests.relaying import Relay

# The tests' own server may run without fsync, and that is found.
OF_THE_SERVER = "durability"


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def found(connection: psycopg.Connection[Any]) -> list[CheckResult]:
    return [each for each in check_outbox(connection) if each.check != OF_THE_SERVER]


def test_an_outbox_as_migrated_and_written_is_sound(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    with psycopg.connect(database_url) as open_writer, connection.transaction():
        DomainEventBus.publish(open_writer, noted("order-1"))
        DomainEventBus.publish(connection, noted("order-2"))
        assert found(connection) == []
    assert found(connection) == []


def test_a_sequence_that_hands_out_numbers_in_advance_fails(
    connection: psycopg.Connection[Any],
) -> None:
    connection.execute("alter table outbox.domain_events alter column seq set cache 20")
    [finding] = found(connection)
    assert (finding.check, finding.level) == ("sequence", "fail")
    assert "cache 20" in finding.message
    # The message's own remedy works.
    remedy = finding.message.partition(": run ")[2]
    connection.execute(remedy)
    assert found(connection) == []


def test_a_worker_does_not_start_on_a_sequence_that_hands_out_numbers_in_advance(
    relay: Relay,
) -> None:
    relay.sql("alter table outbox.domain_events alter column seq set cache 20")
    refused = relay.command("run", "--until-idle")
    assert refused.returncode == 2
    assert "cache 20" in refused.stderr


def test_rows_restored_from_another_database_are_found_by_their_transaction_ids(
    connection: psycopg.Connection[Any],
) -> None:
    connection.execute(
        "insert into outbox.domain_events (xid, event_type, aggregate_type, aggregate_id, payload) "
        "values ('123456789', 'order.noted', 'order', 'order-1', '{}')"
    )
    [finding] = found(connection)
    assert (finding.check, finding.level) == ("foreign-rows", "fail")
    assert finding.message.startswith("1 rows")
    assert "relay recover" in finding.message
    connection.execute("update outbox.domain_events set xid = '3'")
    assert found(connection) == []


@pytest.mark.parametrize(
    ("grant", "reported"),
    [
        ("grant update on outbox.domain_events to outbox_writer", "outbox_writer may update"),
        ("grant insert on outbox.domain_events to outbox_writer", "outbox_writer may insert"),
        ("grant insert (xid) on outbox.domain_events to public", "public may insert xid"),
    ],
)
def test_a_role_that_may_do_more_than_publish_is_reported(
    connection: psycopg.Connection[Any], grant: str, reported: str
) -> None:
    connection.execute(grant)
    [finding] = found(connection)
    assert (finding.check, finding.level) == ("roles", "warn")
    assert reported in finding.message


@pytest.fixture
def own_role(connection: psycopg.Connection[Any]) -> Iterator[str]:
    """A role, as SQL writes it, that may add and read events by grants of its own."""
    name = f'"Shop {uuid.uuid4().hex[:8]}"'
    connection.execute(f"create role {name}")
    connection.execute(f"grant usage on schema outbox to {name}")
    connection.execute(
        f"grant select, insert (id, event_type, schema_version, aggregate_type, aggregate_id, "
        f"payload, metadata, occurred_at, fingerprint, avro) on outbox.domain_events to {name}"
    )
    yield name
    connection.execute("reset role")
    connection.execute(f"drop owned by {name}")
    connection.execute(f"drop role {name}")


def test_a_role_that_may_insert_and_not_read_the_versions_is_reported_with_the_grant(
    connection: psycopg.Connection[Any], own_role: str
) -> None:
    def publish() -> None:
        connection.execute(f"set role {own_role}")
        with connection.transaction():
            DomainEventBus.publish(connection, noted())
            connection.execute("select outbox.publish('order.noted', 'order', 'order-1', '{}')")

    # Given that it can't publish
    with pytest.raises(InsufficientPrivilege, match="schema_versions"):
        publish()
    connection.execute("reset role")
    [finding] = found(connection)
    assert (finding.check, finding.level) == ("roles", "warn")
    assert finding.message.startswith(f"{own_role} may insert events but not read")
    # When the message's own remedy is followed, then it can
    connection.execute(finding.message.partition(": run ")[2])
    assert found(connection) == []
    publish()


def test_a_role_that_may_read_only_some_of_the_columns_is_reported(
    connection: psycopg.Connection[Any], own_role: str
) -> None:
    connection.execute(
        f"grant select (event_type, version, state) on outbox.schema_versions to {own_role}"
    )
    assert [each.check for each in found(connection)] == ["roles"]
    connection.execute(
        "grant select (aggregate_type, fingerprint, logical_digest) "
        f"on outbox.schema_versions to {own_role}"
    )
    assert found(connection) == []


def test_a_member_of_the_writers_role_needs_no_grant_of_its_own(
    connection: psycopg.Connection[Any], own_role: str
) -> None:
    connection.execute(f"grant outbox_writer to {own_role}")
    assert found(connection) == []


def test_an_unlogged_outbox_fails(connection: psycopg.Connection[Any]) -> None:
    connection.execute("alter table outbox.domain_events set unlogged")
    assert [(each.check, each.level) for each in found(connection)] == [("logged", "fail")]


def test_commits_that_do_not_wait_for_the_disk_are_reported(
    connection: psycopg.Connection[Any],
) -> None:
    connection.execute("set synchronous_commit = off")
    assert any("synchronous_commit" in each.message for each in check_outbox(connection))
