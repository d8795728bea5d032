"""Hazards of another database at the same address: a standby, a copy, a former primary."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from relay.capture.position import Position, Snapshot
from relay.errors import SchemaUnknown
from relay.local.postgres import LocalPostgres
from relay.local.registry import LocalRegistry
from relay.postgres.connect import connect
from relay.postgres.identity import read_identity
from relay.publish.errors import Fenced
from relay.publish.outcome import BatchOutcome
from relay.publish.record import PositionRecord
from relay.publish.store import ShardStore
from relay.schema.client.client import RegistryClient
from tests import sql, stack
from tests.integration.registry_servers import record, unused_subject
from tests.integration.standby import Standby, addresses
from tests.relaying import Relay
from tests.stack import until


def publish(url: str, words: str, count: int, autocommit: bool = True) -> list[str]:
    """Events of several aggregates, each in a transaction of its own or all in one; their ids."""
    ids = []
    with psycopg.connect(url, autocommit=autocommit) as connection:
        for number in range(count):
            row = connection.execute(
                "select outbox.publish('counted', 'counter', %s, '{\"number\": 1}')",
                [f"{words}-{number % 7}"],
            ).fetchone()
            assert row is not None
            ids.append(str(row[0]))
    return ids


@pytest.mark.parametrize("behind", ["many", "one"])
def test_a_failover_to_a_lagging_standby_loses_nothing_that_is_there_and_names_what_is_gone(
    primary: LocalPostgres, standby: Standby, make_relay: Callable[..., Relay], behind: str
) -> None:
    """behind: how many transactions of a shard the standby lacks.

    One looks like flags to be redone.
    """
    relay = make_relay(database_url=primary.url, session_timeout_ms="6000")
    relay.environment["EVENT_BUS_DATABASE_URL"] = addresses("outbox", primary, standby)
    with relay.running() as worker:
        # Given events that both servers have, and others that the standby will never get
        kept = publish(primary.url, "kept", 10)
        relay.wait_until_delivered(10)
        standby.catch_up()
        standby.cut_off()
        gone = []
        if behind == "many":
            gone = publish(primary.url, "gone", 20)
            relay.wait_until_delivered(30)
        # of which the last forty have no flags yet, and their transaction a higher id than others
        with psycopg.connect(primary.url) as connection:
            for _ in range(20):
                connection.execute("select pg_current_xact_id()")
                connection.rollback()
        flags = psycopg.connect(primary.url)
        flags.execute("lock table outbox.deliveries in exclusive mode")
        gone += publish(primary.url, "gone", 40, autocommit=False)
        until(lambda: len(relay.published()) == 10 + len(gone), timeout=60)

        # When the standby takes over, and services give out the same numbers again
        os.kill(worker.pid, signal.SIGSTOP)
        primary.kill()
        flags.close()
        standby.promote()
        again = publish(standby.url, "again", 80)
        os.kill(worker.pid, signal.SIGCONT)
        until(
            lambda: (
                relay.sql(
                    "select count(*) from outbox.deliveries d join outbox.domain_events using (seq)"
                )
                == [(90,)]
            ),
            timeout=60,
            what=f"90 deliveries; log: {relay.log()[-3000:]}",
        )
        # and goes on as ever
        again += publish(standby.url, "later", 5)
        relay.wait_until_delivered(95)
        assert worker.poll() is None

    # Then each event is in the topic once
    assert sorted(r.event_id for r in relay.published()) == sorted(kept + gone + again)
    # and each row's flags are its own
    places = {record.event_id: record[:3] for record in relay.published()}
    for row in relay.status():
        assert (row["topic"], row["partition"], row["kafka_offset"]) == places[row["id"]]
    # and the log names each event that consumers have and the database has not
    log = relay.log()
    assert not [event_id for event_id in gone if f"event {event_id} is published" not in log]
    assert not [event_id for event_id in kept + again if f"event {event_id} is" in log]

    # And when somebody starts the former primary and points the relay at it, it is refused
    primary.start()
    refused = relay.command("run", EVENT_BUS_DATABASE_URL=primary.url)
    assert refused.returncode == 2
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("relay: ")]
    assert "former primary" in line
    assert "Traceback" not in refused.stderr


def test_a_copy_of_the_database_with_productions_settings_is_refused_in_one_line(
    relay: Relay, postgres_server: stack.Database, database_url: str
) -> None:
    # Given a relay that has published
    relay.publish("a", 1)
    relay.must("run", "--until-idle")
    # When its database is copied, and the copy used with the same settings
    sql.close()
    name = f"test_{uuid.uuid4().hex[:12]}"
    copy = postgres_server.create_database(name, template=database_url.rsplit("/", 1)[1])
    try:
        refused = relay.command("run", EVENT_BUS_DATABASE_URL=copy)
        # Then the relay ends at once, with one line that says what to do
        assert refused.returncode == 2
        (line,) = refused.stderr.splitlines()
        assert "relay recover" in line
        # as it does on another system
        with psycopg.connect(copy, autocommit=True) as connection:
            identity = read_identity(connection)
            connection.execute(
                "update outbox.relay set database_oid = %s, system_identifier = '7'",
                [identity.database],
            )
        refused = relay.command("run", EVENT_BUS_DATABASE_URL=copy)
        assert refused.returncode == 2
        (line,) = refused.stderr.splitlines()
        assert identity.system in line
    finally:
        postgres_server.drop_database(name)


def test_flags_of_one_timeline_are_not_written_to_another_where_numbers_are_other_rows(
    database_url: str, tmp_path: Path
) -> None:
    """A worker's flags may wait for the database while a standby takes over."""
    with connect(database_url) as connection:
        # Given a shard whose epoch came to the standby, and a row that got a number again
        store = ShardStore(connection, 2)
        epoch, _ = store.take(0, "worker")
        here = store.identity
        former = replace(here, timeline=here.timeline + 1)
        seen = Position(Snapshot(100, 100))
        line = b"1\t0\tevents.other\t0\t7\t1\n"
        # When flags of the lost row are written
        with pytest.raises(Fenced):
            store.write([BatchOutcome(0, epoch, PositionRecord(1, 0, 2, former, seen), line)])
        # Then nothing is, neither flags nor position
        assert connection.execute("select count(*) from outbox.deliveries").fetchone() == (0,)
        assert connection.execute("select position from outbox.mirrors").fetchone() is None
        # and those of this timeline are
        store.write([BatchOutcome(0, epoch, PositionRecord(1, 0, 2, here, seen), line)])
        assert connection.execute("select count(*) from outbox.deliveries").fetchone() == (1,)


def test_after_a_failover_no_schema_gets_an_id_that_another_one_had(
    primary: LocalPostgres, standby: Standby, tmp_path: Path
) -> None:
    # Given a registry whose last schema the standby will never get
    before = LocalRegistry(
        tmp_path / "before", database_url=primary.url, bootstrap_servers="127.0.0.1:9"
    )
    before.start()
    subject = unused_subject()
    with RegistryClient(before.url) as registry:
        kept = registry.register(subject, record("a:int"))
        standby.catch_up()
        standby.cut_off()
        gone = registry.register(subject, record("a:int", 'b:string=""'))
    before.stop()
    # When the standby takes over, and another schema is registered first
    primary.kill()
    standby.promote()
    after = LocalRegistry(
        tmp_path / "after", database_url=standby.url, bootstrap_servers="127.0.0.1:9"
    )
    after.start()
    try:
        with RegistryClient(after.url) as registry:
            other = registry.register(subject, record("a:int", 'c:string=""'))
            # Then its id is one that no record carries, and the lost one gets its own again
            assert other not in {kept, gone}
            with pytest.raises(SchemaUnknown):
                registry.schema(gone)
            assert registry.register(subject, record("a:int", 'b:string=""')) == gone
            assert registry.register(subject, record("a:int")) == kept
            assert [f["name"] for f in registry.schema(gone)["fields"]] == ["a", "b"]
    finally:
        after.stop()


def test_a_primary_that_freezes_without_a_word_is_left_for_its_standby(
    primary: LocalPostgres, standby: Standby, make_relay: Callable[..., Relay]
) -> None:
    # Given a worker that publishes from the primary
    relay = make_relay(database_url=primary.url, session_timeout_ms="6000")
    relay.environment["EVENT_BUS_DATABASE_URL"] = addresses("outbox", primary, standby)
    with relay.running() as worker:
        publish(primary.url, "before", 10)
        relay.wait_until_delivered(10)
        standby.catch_up()
        # When the primary neither answers nor closes a connection, and the standby is promoted
        primary.pause()
        try:
            standby.promote()
            publish(standby.url, "after", 10)
            # Then the worker goes on there
            flags = "select count(*) from outbox.deliveries"
            with psycopg.connect(standby.url, autocommit=True) as connection:
                until(lambda: connection.execute(flags).fetchone() == (20,), timeout=90)
            assert worker.poll() is None
        finally:
            primary.resume()
    ids = [record.event_id for record in relay.published()]
    assert len(ids) == len(set(ids)) == 20


def test_a_statement_that_takes_long_is_not_taken_for_a_silent_server(
    primary: LocalPostgres,
) -> None:
    with connect(primary.url, silence_s=0.3) as connection:
        assert connection.execute("select 7 from pg_sleep(2)").fetchone() == (7,)
        primary.pause()
        try:
            with pytest.raises(psycopg.OperationalError, match="not answered"):
                connection.execute("select 1")
        finally:
            primary.resume()
        assert connection.closed
