"""Outages: nothing is lost or duplicated, and no event loses an attempt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from confluent_kafka.admin import AdminClient

from relay.errors import BrokerUnavailable
from relay.kafka.offsets import committed_offsets, read_ends
from relay.kafka.topics import create
from relay.local.kafka import LocalKafka
from relay.local.postgres import LocalPostgres
from relay.local.registry import LocalRegistry
from relay.postgres.migrate import migrate
from relay.settings import load_settings
from tests.relaying import Relay, end, read_topic
from tests.stack import until


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[LocalPostgres]:
    server = LocalPostgres(tmp_path / "postgres")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def own_kafka(tmp_path: Path, how: str) -> Iterator[LocalKafka]:
    properties = {"group.min.session.timeout.ms": "1000"}
    if how == "frozen":
        # A broker that is frozen for longer loses its partitions' leaders when it goes on. A marker
        # that it writes then is lost, and only an operator can end that transaction (H55).
        properties["broker.session.timeout.ms"] = "60000"
    server = LocalKafka(tmp_path / "kafka", properties=properties)
    server.start()
    yield server
    server.kill()


def assert_all_once_in_order_without_lost_attempts(relay: Relay, count: int) -> None:
    published = relay.published()
    assert len(published) == count
    assert len({record.event_id for record in published}) == count
    last: dict[str, int] = {}
    for record in published:
        assert record.sequence > last.get(record.key, 0)
        last[record.key] = record.sequence
    for row in relay.status():
        assert row["delivery_attempts"] == 1
        assert (row["topic"], row["partition"], row["kafka_offset"]) in {r[:3] for r in published}


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_a_broker_outage_loses_nothing_and_costs_no_attempt(
    make_relay: Callable[..., Relay], own_kafka: LocalKafka, how: str
) -> None:
    # Given a relay at work
    relay = make_relay(bootstrap_servers=own_kafka.bootstrap_servers)
    worker = relay.start("run")
    try:
        for number in range(50):
            relay.publish(f"k{number % 7}", number)
        relay.wait_until_delivered(50)
        relay.wait_until_decided()
        # When the broker goes away while events are written
        away = own_kafka.kill if how == "killed" else own_kafka.pause
        back = own_kafka.start if how == "killed" else own_kafka.resume
        away()
        for number in range(50, 100):
            relay.publish(f"k{number % 7}", number)
        until(lambda: "Kafka is unavailable" in relay.log(), timeout=40)
        back()
        for number in range(100, 120):
            relay.publish(f"k{number % 7}", number)
        # Then all arrive once it is back
        relay.wait_until_delivered(120, timeout=90)
        assert worker.poll() is None
    finally:
        end(worker)
    assert_all_once_in_order_without_lost_attempts(relay, 120)


@pytest.mark.parametrize("how", ["killed"])
def test_ends_are_read_as_soon_as_a_restarted_broker_leads_again(own_kafka: LocalKafka) -> None:
    # Given a client that knows the partitions' leaders
    admin = AdminClient({"bootstrap.servers": own_kafka.bootstrap_servers})
    create(admin, {"t": 2})
    places = [("t", 0), ("t", 1)]
    until(lambda: read_ends(admin, places), ignoring=(BrokerUnavailable,))
    # When the broker is restarted, which begins a new epoch of its leadership
    own_kafka.kill()
    own_kafka.start()
    # Then the client need not wait until it looks for leaders by itself, after minutes
    assert until(lambda: read_ends(admin, places), timeout=20, ignoring=(BrokerUnavailable,)) == {
        ("t", 0): 0,
        ("t", 1): 0,
    }


@pytest.mark.parametrize("how", ["killed"])
def test_the_offsets_of_groups_are_read_while_their_coordinator_is_starting(
    own_kafka: LocalKafka,
) -> None:
    # An admin client of librdkafka 2.16.0 ends its process here, with signal 11.
    settings = load_settings(
        database_url="postgresql://unused", kafka_bootstrap_servers=own_kafka.bootstrap_servers
    )
    wanted = {f"g{number}": [("t", 0)] for number in range(12)}
    assert committed_offsets(settings, wanted) == {group: {} for group in wanted}


def test_a_quiet_producers_expired_transactional_id_costs_nothing_but_a_take_over(
    make_relay: Callable[..., Relay], tmp_path: Path
) -> None:
    # Given a broker that forgets transactional ids after two quiet seconds
    kafka = LocalKafka(
        tmp_path / "kafka",
        properties={
            "group.min.session.timeout.ms": "1000",
            "transactional.id.expiration.ms": "2000",
            "transaction.remove.expired.transaction.cleanup.interval.ms": "500",
            "producer.id.expiration.ms": "2000",
            "producer.id.expiration.check.interval.ms": "500",
        },
    )
    kafka.start()
    try:
        relay = make_relay(bootstrap_servers=kafka.bootstrap_servers, shards="1")
        with relay.running():
            relay.publish("a", 1)
            relay.wait_until_delivered(1)
            # (a record without a value in the coordinator's topic)
            until(
                lambda: any(
                    relay.name in record.key and not record.value
                    for record in read_topic(
                        kafka.bootstrap_servers, "__transaction_state", "read_uncommitted"
                    )
                ),
                what="the transactional id is forgotten",
            )
            # When the next event comes
            relay.publish("a", 2)
            relay.wait_until_delivered(2)
        # Then it is published once, and the position was read again: the shard goes on from its
        # record, without comparing table and topics
        assert "in doubt" in relay.log()
        assert "taken over at transaction 1" in relay.log().partition("in doubt")[2]
        assert "recovered" not in relay.log()
        assert_all_once_in_order_without_lost_attempts(relay, 2)
    finally:
        kafka.kill()


def test_a_database_outage_loses_nothing_and_costs_no_attempt(
    make_relay: Callable[..., Relay], own_postgres: LocalPostgres
) -> None:
    # Given a relay at work
    migrate(own_postgres.url)
    relay = make_relay(database_url=own_postgres.url)
    worker = relay.start("run")
    try:
        for number in range(50):
            relay.publish(f"k{number % 7}", number)
        relay.wait_until_delivered(20)
        # When the database crashes in the middle and comes back
        own_postgres.kill()
        until(lambda: "PostgreSQL is unavailable" in relay.log())
        own_postgres.start()
        for number in range(50, 70):
            relay.publish(f"k{number % 7}", number)
        # Then all arrive
        relay.wait_until_delivered(70, timeout=60)
        assert worker.poll() is None
    finally:
        end(worker)
    assert_all_once_in_order_without_lost_attempts(relay, 70)


def test_a_registry_that_is_unavailable_when_the_worker_starts(
    make_relay: Callable[..., Relay], postgres_server: Any, migrated_template: str, tmp_path: Path
) -> None:
    # Given a registry that is down, and events
    name = f"registry_{tmp_path.name[-20:].lower().replace('-', '_')}"
    registry = LocalRegistry(
        tmp_path / "registry",
        database_url=postgres_server.create_database(name, template=migrated_template),
        bootstrap_servers="127.0.0.1:9",
    )
    registry.start()
    try:
        relay = make_relay(registry_url=registry.url)
        registry.kill()
        for number in range(5):
            relay.publish("a", number)
        with relay.running():
            until(lambda: "the schema registry is unavailable" in relay.log())
            assert relay.sql("select count(*) from outbox.holds") == [(0,)]
            # When it comes back
            registry.start()
            # Then all are published
            relay.wait_until_delivered(5)
    finally:
        registry.kill()
        postgres_server.drop_database(name)
    assert_all_once_in_order_without_lost_attempts(relay, 5)


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("DATABASE_URL", "mysql://x", "EVENT_BUS_DATABASE_URL"),
        ("SCHEMAS_DIR", "/nowhere", "EVENT_BUS_SCHEMAS_DIR"),
        ("SHARDS", "many", "EVENT_BUS_SHARDS"),
        ("ON_DEAD", "shrug", "EVENT_BUS_ON_DEAD"),
        ("KAFKA_OPTIONS", '{"acks": "0"}', "EVENT_BUS_KAFKA_OPTIONS"),
        ("KAFKA_OPTIONS", "{", "EVENT_BUS_KAFKA_OPTIONS"),
        ("KAFKA_OPTIONS", '{"no.such.option": "1"}', "EVENT_BUS_KAFKA_OPTIONS"),
        ("KAFKA_OPTIONS", '{"group.protocol": "consumer"}', "group.protocol"),
        ("KAFKA_OPTIONS", '{"max.in.flight": "100"}', "max.in.flight"),
        ("SESSION_TIMEOUT_MS", "2000000", "group.max.session.timeout.ms"),
        ("TRANSACTION_TIMEOUT_MS", "1000000", "no more than 900000"),
        ("NAME", "another", "EVENT_BUS_NAME"),
    ],
)
def test_a_bad_setting_ends_in_one_line_that_names_it(
    relay: Relay, setting: str, value: str, says: str
) -> None:
    done = relay.command("run", "--until-idle", **{f"EVENT_BUS_{setting}": value})
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert says in done.stderr


def test_at_least_once_publishes_flags_and_goes_on_where_it_was_killed(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a relay for brokers without transactions
    relay = make_relay(delivery="at-least-once")
    worker = relay.start("run")
    for number in range(100):
        relay.publish(f"k{number % 7}", number)
    relay.wait_until_delivered(30)
    # When it is killed and another goes on
    worker.kill()
    worker.wait()
    for number in range(100, 150):
        relay.publish(f"k{number % 7}", number)
    relay.must("run", "--until-idle")
    # Then nothing is lost; what is there more than once stands together, so order holds
    published = relay.published("read_uncommitted")
    assert {record.sequence for record in published} == set(range(1, 151))
    assert relay.sql("select count(*) from outbox.deliveries") == [(150,)]
    for key in {record.key for record in published}:
        seen = list(dict.fromkeys(r.sequence for r in published if r.key == key))
        assert seen == sorted(seen)


def test_rows_that_are_written_in_one_transaction_appear_in_kafka_once_it_is_flushed(
    make_relay: Callable[..., Relay],
) -> None:
    # Given writers that do not wait for the disk
    relay = make_relay()
    with psycopg.connect(relay.database_url, autocommit=True) as connection:
        connection.execute("set synchronous_commit to off")
        with relay.running():
            for number in range(200):
                connection.execute(
                    "select outbox.publish('counted', 'counter', 'a', %s::jsonb)",
                    (f'{{"number": {number}}}',),
                )
            relay.wait_until_delivered(200)
    assert_all_once_in_order_without_lost_attempts(relay, 200)
