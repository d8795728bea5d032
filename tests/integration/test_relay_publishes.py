"""What is written to the outbox arrives in Kafka, and what can't is held or given up by itself."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from relay.publish.services import Services
from relay.publish.worker import Worker
from relay.schema.avro.decoder import compile_decoder
from relay.schema.catalog import Catalog
from tests.relaying import Relay
from tests.stack import until

QUICK = {"backoff_initial_ms": "100", "backoff_max_ms": "200", "max_attempts": "3"}


def numbers(relay: Relay, key: str) -> list[int]:
    """What the topic has of an aggregate, in its order."""
    decode = compile_decoder(Catalog.load(relay.folder / "schemas").active("counted").avsc)
    return [decode(record.value[5:])["number"] for record in relay.published() if record.key == key]


def by_id(relay: Relay) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in relay.status()}


def test_a_committed_event_is_published_with_cloudevents_headers_and_flagged(relay: Relay) -> None:
    # Given an event written by SQL, with metadata
    (row,) = relay.sql(
        """select outbox.publish('counted', 'counter', 'a', '{"number": 7, "note": "hello"}',
           '{"actorId": "u1", "correlationId": "c1", "causationId": "e0",
             "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}',
           '2026-01-02 03:04:05.678+02')"""
    )
    event_id = row[0]

    # When the relay has run
    relay.must("run", "--until-idle")

    # Then its record stands in the topic of its domain, in Confluent's wire format
    (record,) = relay.published()
    assert record.key == "a"
    magic, schema_id = struct.unpack(">bI", record.value[:5])
    assert magic == 0
    assert schema_id > 0
    assert numbers(relay, "a") == [7]
    # with the headers of CloudEvents' Kafka binding and of W3C trace context
    assert record.headers == {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_type": "counted",
        "ce_source": relay.domain,
        "ce_subject": "a",
        "ce_time": "2026-01-02T01:04:05.678Z",
        "ce_aggregatetype": "counter",
        "ce_sequence": "1",
        "ce_correlationid": "c1",
        "ce_causationid": "e0",
        "ce_actorid": "u1",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "content-type": "application/avro",
    }
    # and its row says where
    (status,) = relay.status()
    assert (status["topic"], status["partition"], status["kafka_offset"]) == record[:3]
    assert status["delivered_at"] is not None
    assert status["delivery_attempts"] == 1
    assert not status["dead_letter"]


def test_transactions_that_commit_late_are_published_in_the_order_in_which_they_commit(
    relay: Relay,
) -> None:
    # Given three transactions that took their numbers in the order 0, 1, rolled back, 2
    with relay.running():
        connections = [psycopg.connect(relay.database_url) for _ in range(4)]
        for number, connection in enumerate(connections):
            connection.execute(
                "select outbox.publish('counted', 'counter', %s, %s::jsonb)",
                (f"k{number}", f'{{"number": {number}}}'),
            )
        # When they end in the order 2, 1, rolled back, 0
        for count, number in enumerate((3, 1), 1):
            connections[number].commit()
            relay.wait_until_delivered(count)
        connections[2].rollback()
        connections[0].commit()
        relay.wait_until_delivered(3)
        for connection in connections:
            connection.close()
    # Then each is published once, as soon as it had committed
    assert sorted(record.key for record in relay.published()) == ["k0", "k1", "k3"]
    delivered = relay.sql("select seq from outbox.deliveries order by delivered_at")
    assert delivered == [(4,), (2,), (1,)]


def test_an_unknown_event_type_is_tried_and_then_dead_and_holds_its_aggregate(
    make_relay: Callable[..., Relay],
) -> None:
    # Given an event of a type that nobody knows, between two good ones of its aggregate
    relay = make_relay(**QUICK)
    first = relay.publish("a", 1)
    unknown = relay.insert("a", 2, "nobody.knows")
    behind = relay.publish("a", 3)
    other = relay.publish("b", 4)
    # When the relay has run
    relay.must("run", "--until-idle")
    # Then it is dead with the reason, after as many tries as are set
    rows = by_id(relay)
    assert rows[unknown]["dead_letter"]
    assert rows[unknown]["delivery_attempts"] == 3
    assert "nobody.knows" in rows[unknown]["last_error"]
    # and what comes behind it waits, other aggregates don't
    assert rows[behind]["delivery_state"] == "held"
    assert {first, other} == {record.event_id for record in relay.published()}


def test_behind_a_dead_event_later_ones_go_on_where_that_is_set(
    make_relay: Callable[..., Relay],
) -> None:
    # Given the setting, and a dead event with others behind it
    relay = make_relay(on_dead="skip", **QUICK)
    relay.insert("a", 1, "nobody.knows")
    for number in (2, 3, 4):
        relay.publish("a", number)
    # When the relay has run
    relay.must("run", "--until-idle")
    # Then they are published in order
    assert numbers(relay, "a") == [2, 3, 4]


def test_a_held_aggregate_goes_on_in_order_once_its_event_type_is_known(
    make_relay: Callable[..., Relay],
) -> None:
    # Given an event of an unknown type and more of its aggregate, some of them written later
    relay = make_relay(backoff_initial_ms="200", backoff_max_ms="200", max_attempts="1000")
    with relay.running():
        relay.insert("a", 1, "counted.later")
        relay.publish("a", 2)
        until(lambda: relay.sql("select count(*) from outbox.holds") == [(2,)])
        relay.publish("a", 3)
        until(lambda: relay.sql("select count(*) from outbox.holds") == [(3,)])
        # When its type is added to the catalog and registered
        relay.add_event_type("counted.later", [{"name": "number", "type": "long"}])
        relay.must("schemas", "register")
        relay.wait_until_delivered(3)
        relay.publish("a", 4)
        relay.wait_until_delivered(4)
    # Then all are published in order
    assert [record.sequence for record in relay.published()] == [1, 2, 3, 4]
    assert relay.sql("select count(*) from outbox.holds") == [(0,)]
    (first, *_) = relay.status()
    assert first["delivery_attempts"] > 1


def test_a_dead_event_that_is_set_free_is_published_and_its_aggregate_goes_on(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a dead event and one behind it
    relay = make_relay(**QUICK)
    with relay.running():
        dead = relay.insert("a", 1, "counted.later")
        relay.publish("a", 2)
        until(lambda: by_id(relay)[dead]["dead_letter"])
        # When its type is added and somebody sets it free
        relay.add_event_type("counted.later", [{"name": "number", "type": "long"}])
        relay.must("schemas", "register")
        relay.sql(
            "update outbox.holds set state = 'failing', attempts = 0, next_attempt_at = now() "
            "where event_id = %s",
            (dead,),
        )
        # Then both are published in order
        relay.wait_until_delivered(2)
    assert [record.sequence for record in relay.published()] == [1, 2]


def test_a_payload_that_does_not_fit_is_dead_with_the_place_of_the_fault(
    make_relay: Callable[..., Relay],
) -> None:
    relay = make_relay(**QUICK)
    misspelt = relay.publish("a", 1, nota="x")
    fraction = relay.sql("select outbox.publish('counted', 'counter', 'b', '{\"number\": 1.9}')")[
        0
    ][0]
    relay.must("run", "--until-idle")
    rows = by_id(relay)
    assert "$.nota" in rows[misspelt]["last_error"]
    assert "$.number" in rows[fraction]["last_error"]
    assert relay.published() == []


def test_a_schema_that_is_not_registered_holds_without_counting_attempts(
    make_relay: Callable[..., Relay],
) -> None:
    # Given an event type of the catalog that the registry does not have
    relay = make_relay(**QUICK)
    relay.add_event_type("counted.later", [{"name": "number", "type": "long"}])
    with relay.running():
        waiting = relay.insert("a", 1, "counted.later")
        until(lambda: by_id(relay)[waiting]["delivery_state"] == "failing")
        row = by_id(relay)[waiting]
        assert row["delivery_attempts"] == 0
        assert "relay schemas register" in row["last_error"]
        # When it is registered
        relay.must("schemas", "register")
        # Then the event goes out
        relay.wait_until_delivered(1)


def test_until_idle_waits_for_an_event_that_is_due_in_a_shard_that_is_still_being_taken_over(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an event that waited for its schema, which is registered now
    relay.add_event_type("counted.later", [{"name": "number", "type": "long"}])
    waiting = relay.insert("a", 1, "counted.later")
    relay.must("run", "--until-idle")
    ((shard, due),) = relay.sql("select shard, next_attempt_at from outbox.holds")
    relay.must("schemas", "register")
    until(lambda: datetime.now(UTC) > due)
    # and a shard that takes long to be taken over
    goes_on, looked = threading.Event(), threading.Semaphore(0)
    take_over, has_work = Services.take_over, Services.has_work

    def take_over_slowly(self: Services, number: int) -> Any:
        if number == shard:
            assert goes_on.wait(30)
        return take_over(self, number)

    def look(self: Services) -> bool:
        found = has_work(self)
        looked.release()
        return found

    monkeypatch.setattr(Services, "take_over", take_over_slowly)
    monkeypatch.setattr(Services, "has_work", look)
    # When a worker has looked twice whether it may end
    worker = Worker(relay.settings())
    thread = threading.Thread(target=worker.run, kwargs={"until_idle": True})
    thread.start()
    try:
        assert all(looked.acquire(timeout=20) for _ in range(2))
    finally:
        goes_on.set()
        thread.join()
    # Then it has not, before the event was published
    assert by_id(relay)[waiting]["delivered_at"] is not None


def test_a_thousand_held_events_of_one_aggregate_come_out_in_order(
    make_relay: Callable[..., Relay],
) -> None:
    # Given more events behind a failing one than one position record lists
    relay = make_relay(backoff_initial_ms="200", backoff_max_ms="200", max_attempts="1000")
    relay.insert("a", 0, "counted.later")
    relay.sql(
        """select outbox.publish('counted', 'counter', 'a', jsonb_build_object('number', n))
           from generate_series(1, 2500) as n"""
    )
    with relay.running():
        until(lambda: relay.sql("select count(*) from outbox.holds") == [(2501,)])
        relay.add_event_type("counted.later", [{"name": "number", "type": "long"}])
        relay.must("schemas", "register")
        relay.wait_until_delivered(2501)
    assert [record.sequence for record in relay.published()] == list(range(1, 2502))


def test_a_clock_that_was_set_back_by_an_hour_delays_no_retry(
    make_relay: Callable[..., Relay],
) -> None:
    # Given an event that waits for its schema until an hour from now, by the database's clock
    relay = make_relay(shards="1", backoff_initial_ms="50", backoff_max_ms="100")
    relay.add_event_type("counted.later", [{"name": "number", "type": "long"}])
    relay.insert("a", 1, "counted.later")
    relay.must("run", "--until-idle")
    relay.sql("update outbox.holds set next_attempt_at = now() + interval '1 hour'")
    relay.must("schemas", "register")
    # When a worker takes its shard over
    with relay.running():
        # Then it tries again soon
        relay.wait_until_delivered(1, timeout=60)
