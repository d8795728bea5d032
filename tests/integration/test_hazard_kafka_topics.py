"""Hazards of topics: what changes under the relay's feet."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from relay.errors import ConfigurationInvalid
from relay.kafka import topics
from relay.kafka.clients import reader
from relay.observe import Events
from relay.outages import Outages
from relay.publish.services import Services
from relay.publish.takeover.positions import last_record
from relay.settings import load_settings
from tests.relaying import Relay, end, kill
from tests.stack import until


def admin_of(relay: Relay) -> AdminClient:
    return AdminClient(
        {"bootstrap.servers": relay.environment["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"]}
    )


def delete_topic(relay: Relay, topic: str) -> None:
    admin = admin_of(relay)
    admin.delete_topics([topic])[topic].result()
    until(lambda: topic not in admin.list_topics(timeout=10).topics)


def create_topic(relay: Relay, topic: str, partitions: int, **config: str) -> None:
    admin = admin_of(relay)
    admin.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result()
    until(lambda: topic in admin.list_topics(timeout=10).topics)


def set_config(relay: Relay, topic: str, name: str, value: str) -> None:
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = admin_of(relay)
    admin.incremental_alter_configs([resource])[resource].result()


def test_another_number_of_shards_is_refused(relay: Relay) -> None:
    # Given a relay created with two shards
    refused = relay.command("run", "--until-idle", EVENT_BUS_SHARDS="3")
    # Then three are bad configuration, said in one line
    assert refused.returncode == 2
    assert "EVENT_BUS_SHARDS is 3" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def test_a_relay_goes_on_in_the_pinned_partitions_of_a_topic_that_has_grown(relay: Relay) -> None:
    # Given keys that are published, and a topic that somebody makes larger
    for number in range(8):
        relay.publish(f"k{number}", 1)
    relay.must("run", "--until-idle")
    # Given a topic that somebody has grown
    admin = admin_of(relay)
    admin.create_partitions([NewPartitions(relay.topic, 6)])[relay.topic].result()
    until(lambda: len(admin.list_topics(timeout=10).topics[relay.topic].partitions) == 6)
    # When a worker starts
    for number in range(8):
        relay.publish(f"k{number}", 2)
    done = relay.command("run", "--until-idle")
    # Then it says so, and each key stays in its partition
    assert done.returncode == 0, done.stderr
    assert f"topic {relay.topic} has 6 partitions and was pinned at 4" in done.stderr
    assert len({(record.key, record.partition) for record in relay.published()}) == 8
    assert len(relay.published()) == 16


def test_fewer_partitions_than_pinned_are_refused(relay: Relay) -> None:
    # Given a topic that was created again, with fewer
    delete_topic(relay, relay.topic)
    create_topic(relay, relay.topic, 3)
    # When a worker starts
    refused = relay.command("run", "--until-idle")
    # Then it says so and publishes nothing
    assert refused.returncode == 2
    assert f"topic {relay.topic} has 3 partitions, but was pinned at 4" in refused.stderr


def test_a_positions_topic_that_was_changed_is_reported_at_the_next_take_over(
    relay: Relay, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a worker, and a positions topic that retention would empty since
    monkeypatch.setattr("relay.publish.services._LOOK_AT_POSITIONS_SECONDS", -1.0)
    caplog.set_level("ERROR")
    services = Services(relay.settings(), "here", Events(), Outages(Events()))
    try:
        set_config(relay, relay.positions_topic, "cleanup.policy", "delete")
        # When a shard is taken over
        services.take_over(0)
    finally:
        services.close()
    # Then the log says so
    assert any("retention would delete the relay's positions" in m for m in caplog.messages)


def test_more_partitions_of_a_topic_under_a_running_worker_move_no_key(relay: Relay) -> None:
    # Given a running worker that has published eight aggregates
    keys = [f"k{number}" for number in range(8)]
    with relay.running():
        for key in keys:
            relay.publish(key, 1)
        relay.wait_until_delivered(8)
        # When the topic grows under it
        admin = admin_of(relay)
        admin.create_partitions([NewPartitions(relay.topic, 12)])[relay.topic].result()
        until(lambda: len(admin.list_topics(timeout=10).topics[relay.topic].partitions) == 12)
        for key in keys:
            relay.publish(key, 2)
        relay.wait_until_delivered(16)
    # Then each key stays in its partition
    places = {(record.key, record.partition) for record in relay.published()}
    assert len(places) == 8


def test_a_positions_topic_that_is_not_compacted_is_refused(relay: Relay) -> None:
    set_config(relay, relay.positions_topic, "cleanup.policy", "delete")
    refused = relay.command("run", "--until-idle")
    assert refused.returncode == 2
    assert "cleanup.policy=delete" in refused.stderr


def test_the_positions_topic_is_created_compacted(relay: Relay) -> None:
    resource = ConfigResource(ResourceType.TOPIC, relay.positions_topic)
    admin = admin_of(relay)
    config = admin.describe_configs([resource])[resource].result()
    assert config["cleanup.policy"].value == "compact"
    assert config["segment.bytes"].value == str(16 * 1024 * 1024)
    assert config["segment.ms"].value == str(60 * 60 * 1000)
    assert config["unclean.leader.election.enable"].value == "false"


def test_an_empty_positions_topic_is_recovered_by_anti_join_and_nothing_is_published_again(
    relay: Relay,
) -> None:
    # Given published events, and one that the relay has not seen
    for number in range(30):
        relay.publish(f"k{number % 7}", number)
    relay.must("run", "--until-idle")
    relay.publish("k1", 30)
    # When the positions topic is lost
    delete_topic(relay, relay.positions_topic)
    create_topic(relay, relay.positions_topic, 2, **{"cleanup.policy": "compact"})
    relay.must("run", "--until-idle")
    # Then only what was not published is
    assert sorted(record.sequence for record in relay.published()) == list(range(1, 32))


def test_an_empty_positions_topic_is_no_new_relay_when_the_last_flags_were_not_written(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a worker that was killed before it could flag what it has published
    relay = make_relay(shards="1")
    worker = relay.start("run")
    relay.publish("warm", 0)
    relay.wait_until_delivered(1)
    with psycopg.connect(relay.database_url) as connection:
        connection.execute("lock table outbox.deliveries in exclusive mode")
        for number in range(1, 20):
            relay.publish(f"k{number % 7}", number)
        until(lambda: len(relay.published()) > 1)
        kill(worker)
    # When the positions topic is lost as well
    delete_topic(relay, relay.positions_topic)
    create_topic(relay, relay.positions_topic, 1, **{"cleanup.policy": "compact"})
    relay.must("run", "--until-idle")
    # Then what is in the topic is flagged, and the rest published
    published = relay.published()
    assert sorted(record.sequence for record in published) == list(range(1, 21))
    places = {record.event_id: record[:3] for record in published}
    for row in relay.status():
        assert (row["topic"], row["partition"], row["kafka_offset"]) == places[row["id"]]


def test_the_last_record_is_found_though_it_is_never_at_the_high_watermark(relay: Relay) -> None:
    # Given a position record with hundreds of aborted ones behind it
    relay.publish("a", 1)
    relay.must("run", "--until-idle")
    settings = relay.settings()
    consumer = reader(settings)
    shard = relay.sql("select shard from outbox.mirrors where number > 0")[0][0]
    before = last_record(consumer, relay.positions_topic, shard)
    aborter = Producer(
        {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            "transactional.id": f"{relay.name}.aborter",
        }
    )
    aborter.init_transactions(10)
    for _ in range(3):
        aborter.begin_transaction()
        for _ in range(70):
            aborter.produce(relay.positions_topic, b"not a position", b"x", shard)
        aborter.flush()
        aborter.abort_transaction(10)
    # When it is looked for
    found = last_record(consumer, relay.positions_topic, shard)
    consumer.close()
    # Then it is found
    assert before is not None
    assert found == before


@pytest.mark.parametrize(
    "option",
    [
        "isolation.level", "acks", "enable.idempotence", "transactional.id", "group.id",
        "partitioner", "client.rack",
    ],
)  # fmt: skip
def test_kafka_options_that_the_promise_depends_on_are_refused(option: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=f"EVENT_BUS_KAFKA_OPTIONS: {option}"):
        load_settings(
            database_url="postgresql://x", kafka_bootstrap_servers="x", kafka_options={option: "1"}
        )


def test_a_topic_limit_that_refuses_a_batch_blames_the_one_row_and_no_innocent_ones(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a running worker, and a topic whose limit is lowered under it
    relay = make_relay(
        max_attempts="1", kafka_options='{"compression.type": "none"}', page_rows="100"
    )
    with relay.running():
        relay.publish("first", 0)
        relay.wait_until_delivered(1)
        set_config(relay, relay.topic, "max.message.bytes", "5000")
        # When thirty small events and one large one come in one transaction
        relay.sql(
            """select outbox.publish('counted', 'counter', 'k' || n, jsonb_build_object(
                   'number', n, 'note', case n when 17 then repeat('x', 20000) else '' end))
               from generate_series(1, 31) as n"""
        )
        relay.wait_until_delivered(31)
        until(lambda: relay.sql("select count(*) from outbox.holds") == [(1,)])
    # Then the large one alone is dead
    (dead,) = [row for row in relay.status() if row["dead_letter"]]
    assert dead["aggregate_id"] == "k17"
    assert len(relay.published()) == 31
    # and the worker went on
    assert "Traceback" not in relay.log()


def test_a_refusal_that_no_limit_explains_is_narrowed_down_to_the_one_row(
    make_relay: Callable[..., Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a topic that takes less than the relay is told
    relay = make_relay(
        shards="1", max_attempts="1", kafka_options='{"compression.type": "none"}', partitions="1"
    )
    monkeypatch.chdir(relay.folder)
    ask = topics.states

    def overstated(*asked: Any) -> dict[str, topics.TopicState]:
        return {
            name: replace(state, max_message_bytes=1_000_000) for name, state in ask(*asked).items()
        }

    monkeypatch.setattr(topics, "states", overstated)
    set_config(relay, relay.topic, "max.message.bytes", "15000")
    with relay.working_here():
        # When thirty small events and one large one come in one transaction
        relay.sql(
            """select outbox.publish('counted', 'counter', 'k' || n, jsonb_build_object(
                   'number', n, 'note', case n when 17 then repeat('x', 20000) else '' end))
               from generate_series(1, 31) as n"""
        )
        # Then all but the large one are published
        relay.wait_until_delivered(30, timeout=60)
        until(lambda: relay.sql("select count(*) from outbox.holds") == [(1,)])
        # and the worker goes on
        relay.publish("k1", 32)
        relay.wait_until_delivered(31)
    # and it alone is dead, for the broker's reason
    (dead,) = [row for row in relay.status() if row["dead_letter"]]
    assert dead["aggregate_id"] == "k17"
    assert "too large" in dead["last_error"]
    assert len({record.event_id for record in relay.published()}) == len(relay.published()) == 31


def test_a_row_that_is_too_large_from_the_start_is_refused_before_anything_is_produced(
    make_relay: Callable[..., Relay],
) -> None:
    relay = make_relay(max_attempts="2", backoff_initial_ms="50")
    large = relay.publish("a", 1, note="x" * 1_100_000)
    relay.publish("b", 2)
    relay.must("run", "--until-idle")
    (row,) = [row for row in relay.status() if row["id"] == large]
    assert row["dead_letter"]
    assert "max.message.bytes" in row["last_error"]
    assert [record.key for record in relay.published()] == ["b"]


def test_a_missing_topic_holds_its_own_events_and_the_shard_goes_on(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a second domain whose topic is deleted
    relay = make_relay(shards="1", max_attempts="2", backoff_initial_ms="50")
    relay.add_domain("gone", "vanished")
    relay.must("migrate")
    relay.must("schemas", "register")
    topic = relay.topic_of("gone")
    worker = relay.start("run")
    try:
        relay.publish("a", 1, event_type="vanished")
        relay.wait_until_delivered(1)
        delete_topic(relay, topic)
        # When events for it and for the other topic come
        held = relay.publish("a", 2, event_type="vanished")
        relay.publish("b", 3)
        # Then the other topic's are published, the topic's own wait without counting attempts
        relay.wait_until_delivered(2)
        until(lambda: relay.sql("select count(*) from outbox.holds") == [(1,)])
        (row,) = [row for row in relay.status() if row["id"] == held]
        assert row["delivery_attempts"] == 0
        assert "relay migrate" in row["last_error"]
        # and go out once it is there again
        create_topic(relay, topic, 4)
        relay.wait_until_delivered(3)
    finally:
        end(worker)


def test_a_limit_that_was_raised_counts_at_the_next_attempt(
    make_relay: Callable[..., Relay],
) -> None:
    # Given an event that was too large for its topic, at a worker whose routes last
    relay = make_relay(shards="1", max_attempts="1", kafka_options='{"compression.type": "none"}')
    set_config(relay, relay.topic, "max.message.bytes", "5000")
    with relay.running():
        large = relay.publish("a", 1, note="x" * 20_000)
        until(lambda: relay.sql("select state from outbox.holds") == [("dead",)])
        # When the limit is raised, as its error says, and it is tried again at once
        set_config(relay, relay.topic, "max.message.bytes", "1000000")
        relay.must("dlq", "replay", large)
        # Then it is published, and so is the next one
        relay.wait_until_delivered(1)
        relay.publish("a", 2, note="x" * 20_000)
        relay.wait_until_delivered(2)
        # and one that is larger still is refused with the limit of today
        relay.publish("b", 3, note="x" * 1_100_000)
        until(lambda: relay.sql("select error from outbox.holds where state = 'dead'"))
    ((error,),) = relay.sql("select error from outbox.holds where state = 'dead'")
    assert "takes 1000000" in error


def test_the_end_of_a_shards_positions_is_found_without_waiting_for_the_next_record(
    relay: Relay,
) -> None:
    # Given positions, and a reader that waits for a fetch as long as librdkafka does by default
    relay.publish("a", 1)
    relay.publish("b", 2)
    relay.must("run", "--until-idle")
    settings = relay.settings()
    default = Consumer(
        {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            "group.id": "patient",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 500,
        }
    )
    times = []
    for consumer in (reader(settings), default):
        last_record(consumer, settings.positions_topic, 0)
        began = time.monotonic()
        for _ in range(4):
            last_record(consumer, settings.positions_topic, 0)
        times.append(time.monotonic() - began)
        consumer.close()
    # Then taking a shard over is a fraction of that
    assert times[0] < times[1] / 2, times
