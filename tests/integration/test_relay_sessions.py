"""The relay's own connections state their settings, whatever roles and databases set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from relay.postgres.connect import connect
from tests.integration.consuming import Counted, World, act
from tests.relaying import Relay
from tests.stack import until

# Defaults of the database that would stop the relay or change what it reads.
HOSTILE = {
    "statement_timeout": "1",
    "lock_timeout": "1",
    "idle_in_transaction_session_timeout": "1",
    "default_transaction_isolation": "serializable",
    "datestyle": "German",
    "timezone": "'Asia/Kathmandu'",
    "client_encoding": "'LATIN1'",
    "search_path": "planted, public",
}


@pytest.fixture
def hostile(database_url: str) -> str:
    """A database with these defaults, and with functions that fit better than PostgreSQL's own."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute("create schema planted")
        for schema in ("planted", "public"):
            connection.execute(
                f"create function {schema}.hashtextextended(text, integer) returns bigint "
                "language sql immutable as 'select 1::bigint'"
            )
            connection.execute(
                f"create function {schema}.pg_visible_in_snapshot(xid8, text) returns boolean "
                "language sql immutable as 'select false'"
            )
        for setting, value in HOSTILE.items():
            connection.execute(f"alter database {name} set {setting} = {value}")
    return database_url


def test_no_default_reaches_the_relays_session(hostile: str) -> None:
    def shown(connection: psycopg.Connection[Any], name: str) -> str:
        row = connection.execute(f"show {name}").fetchone()
        assert row is not None
        return str(row[0])

    with psycopg.connect(hostile, autocommit=True) as usual:
        assert shown(usual, "timezone") == "Asia/Kathmandu"
    with connect(hostile) as relay, connect(hostile, runs_handlers=True) as handlers:
        assert shown(relay, "search_path") == "pg_catalog,pg_temp"
        assert shown(relay, "timezone") == "UTC"
        assert shown(relay, "datestyle").startswith("ISO")
        # Handlers find their tables as their service does.
        assert shown(handlers, "search_path") == "planted, public"
        assert shown(handlers, "timezone") == "Asia/Kathmandu"
        # Times are read in ISO's form, dates are still taken as the service writes them.
        assert shown(handlers, "datestyle") == "ISO, DMY"
        for connection in (relay, handlers):
            assert shown(connection, "statement_timeout") == "0"
            assert shown(connection, "lock_timeout") == "0"
            assert shown(connection, "default_transaction_isolation") == "read committed"
            assert connection.info.encoding == "utf-8"
    with connect(f"{hostile}?options=-c%20work_mem%3D5MB") as own:
        assert shown(own, "work_mem") == "5MB"
        assert shown(own, "search_path") == "pg_catalog,pg_temp"


def test_the_relay_publishes_in_a_database_with_hostile_defaults(
    hostile: str, make_relay: Callable[..., Relay]
) -> None:
    relay = make_relay(database_url=hostile, shards="2")
    with psycopg.connect(
        hostile, autocommit=True, options="-c statement_timeout=0", client_encoding="utf-8"
    ) as connection:
        connection.execute(
            "select outbox.publish('counted', 'counter', 'k' || n % 9, jsonb_build_object("
            "'number', n, 'note', 'Žižkov ☂')) from generate_series(1, 500) n"
        )
        with relay.running():
            until(
                lambda: (
                    connection.execute("select count(*) from outbox.deliveries").fetchone()
                    == (500,)
                )
            )
    assert len({record.event_id for record in relay.published()}) == len(relay.published()) == 500


def test_a_group_handles_in_a_database_with_hostile_defaults(
    hostile: str, tmp_path: Any, unique_name: str, bootstrap_servers: str
) -> None:
    with psycopg.connect(hostile, autocommit=True) as connection:
        name = connection.info.dbname
        # World's own statements have no time to lose.
        connection.execute(f"alter database {name} reset statement_timeout")
        connection.execute(f"alter database {name} reset idle_in_transaction_session_timeout")
    world = World(tmp_path, unique_name, hostile, bootstrap_servers, partitions=1)
    world.send([("a", number) for number in range(20)])
    # (one by one: a batch that fails counts for none of its events)
    group = world.new_group(batch=1)
    failures = iter(range(5))

    @group.handles(Counted)
    def act_in_the_end(event: Counted, context: Any) -> None:
        # The event is parked on the way.
        if event.number == 7 and next(failures, None) is not None:
            raise RuntimeError("not yet")
        act(event, context)

    world.until_idle(group, max_attempts=9, backoff_initial_ms=20)
    assert world.numbers("a") == list(range(20))
    assert world.rows("select attempt from inbox.processed order by attempt desc limit 1") == [(6,)]
