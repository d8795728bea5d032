"""`relay verify` reports every difference between table and topics, and no others."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from subprocess import TimeoutExpired
from typing import Any

import psycopg
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from relay.operate.verify import verify as compare
from tests.relaying import SCHEMA_FIELDS, Record, Relay
from tests.stack import until

NOTHING_WRONG = {
    "discarded": 0, "lost": 0, "duplicated": 0, "out_of_order": 0, "wrong_flags": 0,
    "without_row": 0, "pruned": 0,
}  # fmt: skip


def verify(relay: Relay, **settings: str) -> tuple[int, dict[str, int], str]:
    """Exit status, counts and reported lines, without the cost of a process."""
    report = compare(relay.settings().model_copy(update=settings))
    return 0 if report.sound else 1, report.counts, "\n".join(report.problems())


def admin(relay: Relay) -> AdminClient:
    return AdminClient(
        {"bootstrap.servers": relay.environment["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"]}
    )


def delete_records_before(relay: Relay, record: Record, offset: int) -> None:
    """Does what retention does: takes all below `offset` from the record's partition."""
    client = admin(relay)
    (future,) = client.delete_records(
        [TopicPartition(record.topic, record.partition, offset)]
    ).values()
    future.result(20)


def test_everything_that_is_published_is_found_in_its_topic(relay: Relay) -> None:
    # Given events of some aggregates, all published
    for number in range(30):
        relay.publish(f"a{number % 7}", number)
    relay.must("run", "--until-idle")

    # When table and topics are compared
    done = relay.command("verify", "--json")

    # Then all are there and nothing is wrong
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "events": 30, "in_topics": 30, "pending": 0, "held": 0, "expired": 0, **NOTHING_WRONG
    }  # fmt: skip


def test_what_is_not_published_yet_is_pending_and_what_can_t_be_is_held(relay: Relay) -> None:
    # Given one published event, one of an unknown type, and one after it
    relay.publish("a", 1)
    relay.insert("b", 1, "unheard_of")
    relay.publish("b", 2)
    with relay.running(EVENT_BUS_MAX_ATTEMPTS="1"):
        until(lambda: relay.sql("select count(*) from outbox.holds")[0][0] == 2)
        relay.wait_until_delivered(1, timeout=90)
    # and one written while no relay runs
    relay.publish("a", 2)

    # When table and topics are compared
    status, counts, _ = verify(relay)

    # Then each is counted as what it is, and none as an error
    assert status == 0
    assert counts == {
        "events": 4, "in_topics": 1, "pending": 1, "held": 2, "expired": 0, **NOTHING_WRONG
    }  # fmt: skip


def test_a_record_that_lies_in_the_topic_twice_is_duplicated(relay: Relay) -> None:
    # Given a published event that something else wrote once more
    event_id = relay.publish("a", 1)
    relay.must("run", "--until-idle")
    relay.produce(relay.published()[0])

    # When table and topics are compared, then it is named
    status, counts, lines = verify(relay)
    assert (status, counts["duplicated"], counts["in_topics"]) == (1, 1, 1)
    assert event_id in lines
    # and by the command
    done = relay.command("verify")
    assert done.returncode == 1
    assert event_id in done.stderr
    assert "do NOT agree" in done.stdout
    # but under at-least-once that is not an error
    status, counts, _ = verify(relay, delivery="at-least-once")
    assert (status, counts["duplicated"]) == (0, 1)


def test_a_delivered_event_that_is_not_in_its_topic_is_lost(relay: Relay) -> None:
    # Given three published events, and flags that claim the same of a fourth
    for number in range(3):
        relay.publish("a", number)
    relay.must("run", "--until-idle")
    event_id = relay.publish("a", 3)
    relay.sql(
        "insert into outbox.deliveries (seq, topic, partition, kafka_offset) "
        "select e.seq, d.topic, d.partition, d.kafka_offset "
        "from outbox.domain_events e, outbox.deliveries d where e.id = %s limit 1",
        (event_id,),
    )

    # When table and topics are compared, then it is lost, and named
    status, counts, lines = verify(relay)
    assert (status, counts["lost"], counts["in_topics"]) == (1, 1, 3)
    assert event_id in lines


def test_an_event_that_the_position_has_passed_without_a_trace_is_lost(relay: Relay) -> None:
    # Given a published event whose flag is taken away, and whose record is another's
    event_id = relay.publish("a", 1)
    relay.must("run", "--until-idle")
    relay.sql("delete from outbox.deliveries")
    # Then its record is there, and the missing flag is what is wrong
    status, counts, lines = verify(relay)
    assert (status, counts["in_topics"], counts["wrong_flags"]) == (1, 1, 1)
    assert "has no flag" in lines

    # When the record is gone as well
    (record,) = relay.published()
    delete_records_before(relay, record, record.offset + 1)

    # Then nothing proves that it was ever published
    status, counts, lines = verify(relay)
    assert (status, counts["lost"], counts["wrong_flags"]) == (1, 1, 0)
    assert event_id in lines


def test_what_retention_has_deleted_is_expired_and_not_lost(relay: Relay) -> None:
    # Given published events of one aggregate, the first two of which retention has deleted
    for number in range(3):
        relay.publish("a", number)
    relay.must("run", "--until-idle")
    record = relay.published()[1]
    delete_records_before(relay, record, record.offset + 1)

    # When table and topics are compared, then two can't be proved and one is there
    status, counts, _ = verify(relay)
    assert (status, counts["expired"], counts["in_topics"], counts["lost"]) == (0, 2, 1, 0)


def test_a_topic_that_was_made_anew_has_lost_what_was_in_it(relay: Relay) -> None:
    # Given published events, and a topic that someone deleted and made again
    for number in range(3):
        relay.publish("a", number)
    relay.must("run", "--until-idle")
    client = admin(relay)
    client.delete_topics([relay.topic])[relay.topic].result(20)
    until(lambda: relay.topic not in client.list_topics(timeout=10).topics)
    status, counts, lines = verify(relay)
    assert (status, counts["lost"]) == (1, 3)
    assert "does not exist" in lines
    relay.must("migrate")

    # When table and topics are compared, then flags beyond the topic's end are no promise
    status, counts, _ = verify(relay)
    assert (status, counts["lost"], counts["pending"]) == (1, 3, 0)


def test_a_flag_that_points_elsewhere_is_wrong(relay: Relay) -> None:
    # Given two published events of one aggregate whose offsets were swapped by hand
    for number in range(2):
        relay.publish("a", number)
    relay.must("run", "--until-idle")
    relay.sql(
        "update outbox.deliveries d set kafka_offset = "
        "(select sum(kafka_offset) from outbox.deliveries) - d.kafka_offset"
    )

    # When table and topics are compared, then both flags are wrong and nothing is lost
    status, counts, _ = verify(relay)
    assert (status, counts["wrong_flags"], counts["lost"], counts["in_topics"]) == (1, 2, 0, 2)


def test_a_later_event_before_an_earlier_one_is_out_of_order(relay: Relay) -> None:
    # Given two events of one aggregate that something published in the wrong order
    first, second = relay.publish("a", 1), relay.publish("a", 2)
    relay.publish("b", 1)
    relay.must("run", "--until-idle")
    record = next(r for r in relay.published() if r.event_id == second)
    relay.produce(record, ce_id=first, ce_sequence=str(record.sequence - 1))
    delete_records_before(relay, record, record.offset)

    # When table and topics are compared, then the one that came late is named
    status, counts, lines = verify(relay)
    assert (status, counts["out_of_order"]) == (1, 1)
    assert first in lines


def test_raw_inserts_of_concurrent_transactions_are_promised_no_order(relay: Relay) -> None:
    # Given two raw inserts of one aggregate, the one with the lower number committed later
    insert = (
        "insert into outbox.domain_events (event_type, aggregate_type, aggregate_id, payload) "
        """values ('counted', 'counter', 'a', '{"number": 1}')"""
    )
    with relay.running():
        with psycopg.connect(relay.database_url) as slow:
            slow.execute(insert)
            relay.sql(insert)
            relay.wait_until_delivered(1)
        relay.wait_until_delivered(2)
    first, second = relay.published()
    assert first.sequence > second.sequence

    # When table and topics are compared, then that is not an error
    status, counts, _ = verify(relay)
    assert (status, counts["out_of_order"], counts["in_topics"]) == (0, 0, 2)


def test_a_published_event_without_a_row_is_named_but_no_error_of_the_relay(relay: Relay) -> None:
    # Given a record whose row a failover has taken
    event_id = relay.publish("a", 1)
    relay.must("run", "--until-idle")
    relay.sql("delete from outbox.domain_events")

    # When table and topics are compared, then it is named
    status, counts, lines = verify(relay)
    assert (status, counts["without_row"], counts["events"]) == (0, 1, 0)
    assert event_id in lines


def test_events_that_are_written_and_published_meanwhile_never_look_wrong(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a relay under steady writing
    relay = make_relay(delivery_interval_ms="2")
    write = (
        "select outbox.publish('counted', 'counter', 'a' || n %% 50, "
        "jsonb_build_object('number', n)) from generate_series(1, %s) n"
    )
    relay.sql(write, (5_000,))
    with relay.running("--workers", "2"):
        relay.wait_until_delivered(1, timeout=90)
        counts: dict[str, Any] = {}
        # When table and topics are compared again and again
        for _ in range(4):
            with psycopg.connect(relay.database_url, autocommit=True) as writer:
                for _ in range(40):
                    writer.execute(write, (25,))
                process = relay.start("verify")
                while process.poll() is None:
                    writer.execute(write, (25,))
                    with suppress(TimeoutExpired):
                        process.wait(0.02)
                # Then nothing of that is ever an error
                assert process.returncode == 0, relay.log()[-3000:]
        written = relay.sql("select count(*) from outbox.domain_events")[0][0]
        relay.wait_until_delivered(written, timeout=90)
    _, counts, _ = verify(relay)
    assert counts["events"] == counts["in_topics"] > 5_000


def test_an_event_that_later_ones_passed_while_it_was_dead_is_not_out_of_order(
    make_relay: Callable[..., Relay],
) -> None:
    # Given an event that can't be published, and a later one that passed it by setting
    relay = make_relay(on_dead="skip", max_attempts="1")
    first = relay.insert("a", 1, "measured")
    # as written by outbox.publish, which promises the order
    relay.sql("""update outbox.domain_events set metadata = '{"correlationId": "x"}'""")
    second = relay.publish("a", 2)
    relay.must("run", "--until-idle")
    assert [record.event_id for record in relay.published()] == [second]

    # When its schema is there and a person has it tried again
    relay.add_event_type("measured", SCHEMA_FIELDS)
    relay.must("schemas", "register")
    relay.must("dlq", "replay", first)
    relay.must("run", "--until-idle")
    assert [record.event_id for record in relay.published()] == [second, first]
    assert relay.status()[0]["delivery_attempts"] == 2

    # Then verify finds all in order that was promised
    status, counts, _ = verify(relay)
    assert (status, counts["in_topics"], counts["out_of_order"]) == (0, 2, 0)


def test_rows_with_one_id_are_named_where_the_database_does_not_keep_them_apart(
    relay: Relay,
) -> None:
    # Given an outbox whose ids are not unique, as where it is partitioned by time
    relay.sql("alter table outbox.domain_events drop constraint domain_events_id_key")
    # When two rows with one id are written past `publish`, which makes ids itself, and not read yet
    relay.publish("a", 1)
    for number in (2, 3):
        relay.sql(
            """insert into outbox.domain_events
                   (id, event_type, aggregate_type, aggregate_id, payload)
               values ('twin', 'counted', 'counter', 'b', jsonb_build_object('number', %s))""",
            (number,),
        )
    status, counts, lines = verify(relay)
    # Then one of them is too many
    assert (status, counts["duplicated"], counts["pending"]) == (1, 1, 3)
    assert "2 rows have this id" in lines
    assert "twin" in lines
