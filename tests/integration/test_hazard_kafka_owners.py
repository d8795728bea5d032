"""Hazards of owners: workers that die between two commits, freeze, or come back."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import psycopg
import pytest
from confluent_kafka import OFFSET_END, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from relay.kafka.clients import reader
from relay.postgres.connect import connect
from relay.publish.errors import Fenced
from relay.publish.outcome import BatchOutcome
from relay.publish.record import PositionRecord
from relay.publish.store import ShardStore
from relay.publish.takeover.membership import InstanceId
from relay.publish.takeover.positions import last_record
from tests.relaying import Relay, end, kill
from tests.stack import until


def records(relay: Relay) -> dict[int, PositionRecord]:
    """Each shard's last position record."""
    consumer = reader(relay.settings())
    try:
        found = {
            shard: last_record(consumer, relay.positions_topic, shard)
            for shard in range(relay.settings().shards)
        }
    finally:
        consumer.close()
    return {shard: record for shard, record in found.items() if record is not None}


def assert_flags_match_the_topic(relay: Relay) -> None:
    rows = {row["id"]: row for row in relay.status()}
    published = relay.published()
    assert len({record.event_id for record in published}) == len(published)
    for record in published:
        row = rows[record.event_id]
        assert (row["topic"], row["partition"], row["kafka_offset"]) == record[:3]


def test_a_worker_killed_between_kafkas_commit_and_the_flags_commit_is_redone(
    relay: Relay,
) -> None:
    # Given a worker that committed to Kafka and can't write its flags
    worker = relay.start("run")
    relay.publish("warm", 0)
    relay.wait_until_delivered(1)
    with relay.locked("outbox.deliveries"):
        for number in range(40):
            relay.publish(f"k{number % 9}", number)
        until(lambda: len(relay.published()) > 1)
        # When it is killed there
        kill(worker)
    unflagged = len(relay.published()) - relay.sql("select count(*) from outbox.deliveries")[0][0]
    assert unflagged > 0
    # and another goes on
    relay.must("run", "--until-idle")
    # Then every event is there once, and flagged where it is
    assert len(relay.published()) == 41
    assert relay.sql("select count(*) from outbox.deliveries") == [(41,)]
    assert_flags_match_the_topic(relay)


def test_a_transaction_is_not_committed_before_the_flags_of_the_last_one_are(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a worker that can't write the flags of a committed transaction
    relay = make_relay(shards="1", transaction_timeout_ms="20000")
    with relay.running():
        relay.publish("warm", 0)
        relay.wait_until_delivered(1)
        with relay.locked("outbox.deliveries"):
            relay.publish("a", 1)
            until(lambda: records(relay)[0].number == 2)
            # When the events of the next one are in Kafka, its position record with them
            relay.publish("a", 2)
            until(lambda: "".join(keys_written(relay)) == "a" * 2)
            # Then that one is not committed, so that only the last one can need redoing
            with pytest.raises(AssertionError):
                until(lambda: records(relay)[0].number > 2, timeout=2.0)
        relay.wait_until_delivered(3)
    assert_flags_match_the_topic(relay)


def keys_written(relay: Relay) -> list[str]:
    """Keys of the event topic's records, also of open transactions, but for the first."""
    return [record.key for record in relay.published("read_uncommitted") if record.key != "warm"]


def test_rows_that_were_not_produced_are_not_forgotten_when_the_worker_dies_before_the_hold(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a worker that passed a failing row and the one behind it, and can't write the holds
    relay = make_relay(shards="1", backoff_initial_ms="100", max_attempts="1000")
    worker = relay.start("run")
    relay.publish("warm", 0)
    relay.wait_until_delivered(1)
    with relay.locked("outbox.holds"):
        failing = relay.insert("a", 1, "counted.later")
        until(
            lambda: (
                failing
                in {
                    hold.event_id
                    for record in records(relay).values()
                    for hold in record.not_produced
                }
            )
        )
        # When it is killed there
        kill(worker)
    assert relay.sql("select count(*) from outbox.holds") == [(0,)]
    behind = relay.publish("a", 2)
    # and another goes on
    with relay.running():
        until(lambda: relay.sql("select count(*) from outbox.holds") == [(2,)])
        assert behind not in {record.event_id for record in relay.published()}
        relay.add_event_type("counted.later", [{"name": "number", "type": "long"}])
        relay.set_up()
        relay.wait_until_delivered(3)
    # Then both are published, in order
    assert [record.sequence for record in relay.published() if record.key == "a"] == [2, 3]


def test_a_released_row_whose_flag_was_not_written_is_not_published_twice(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a held row that is released and published, and whose flag can't be written
    relay = make_relay(shards="1", backoff_initial_ms="100", max_attempts="1000")
    relay.insert("a", 1, "counted.later")
    worker = relay.start("run")
    until(lambda: relay.sql("select count(*) from outbox.holds") == [(1,)])
    with relay.locked("outbox.deliveries"):
        relay.add_event_type("counted.later", [{"name": "number", "type": "long"}])
        relay.set_up()
        until(lambda: len(relay.published()) == 1)
        # When the worker is killed there and another goes on
        kill(worker)
    relay.must("run", "--until-idle")
    # Then it is there once, flagged, and no longer held
    assert len(relay.published()) == 1
    assert_flags_match_the_topic(relay)
    assert relay.sql("select count(*) from outbox.holds") == [(0,)]


def test_flags_are_redone_from_the_topics_ends_before_the_batch_and_not_from_its_beginning(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a record of an event's id that was in the topic before the worker started
    relay = make_relay(shards="1", partitions="1")
    event = "an-event-with-an-older-record"
    others = Producer({"bootstrap.servers": relay.environment["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"]})
    others.produce(relay.topic, b"", b"a", 0, headers=[("ce_id", event)])
    # and many after it, so that whoever reads from the beginning finds it first
    for number in range(20_000):
        others.produce(relay.topic, b"", b"b", 0, headers=[("ce_id", str(number))])
    assert others.flush(20) == 0
    worker = relay.start("run")
    with relay.locked("outbox.deliveries"):
        # When that event is published, and the worker is killed before it is flagged
        relay.sql(
            """insert into outbox.domain_events
                   (id, event_type, aggregate_type, aggregate_id, payload)
               values (%s, 'counted', 'counter', 'a', '{"number": 1}')""",
            (event,),
        )
        until(lambda: relay.published()[-1].value != b"")
        kill(worker)
    relay.must("run", "--until-idle")
    # Then only what was written since is looked through
    assert relay.status()[0]["kafka_offset"] == relay.published()[-1].offset


def test_flags_whose_records_retention_deleted_say_delivered_with_the_offset_unknown(
    relay: Relay,
) -> None:
    # Given an event that is published but not flagged when its worker dies
    worker = relay.start("run")
    relay.publish("warm", 0)
    relay.wait_until_delivered(1)
    with relay.locked("outbox.deliveries"):
        relay.publish("a", 1)
        until(lambda: len(relay.published()) == 2)
        kill(worker)
    # When retention has deleted its record
    admin = AdminClient(
        {"bootstrap.servers": relay.environment["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"]}
    )
    everything = [TopicPartition(relay.topic, number, OFFSET_END) for number in range(4)]
    deleted = admin.delete_records(everything)
    assert sum(future.result().low_watermark for future in deleted.values()) >= 4
    relay.must("run", "--until-idle")
    # Then it counts as delivered, and is not published again
    row = relay.status()[1]
    assert row["delivery_state"] == "delivered"
    assert row["kafka_offset"] is None
    assert relay.published() == []


def test_a_zombies_unfenced_flag_writes_are_refused_by_the_epoch(relay: Relay) -> None:
    # Given a shard that was taken over
    relay.publish("a", 1)
    relay.must("run", "--until-idle")
    (shard, record) = next(iter(records(relay).items()))
    with connect(relay.database_url) as connection:
        store = ShardStore(connection, 2)
        old, _ = store.take(shard, "zombie")
        new, _ = store.take(shard, "owner")
        record = replace(record, number=record.number + 1, identity=store.identity)
        # When the former owner writes flags
        with pytest.raises(Fenced):
            store.write([BatchOutcome(shard, old, record, b"1000\t0\tx\t0\t0\t1\n")])
        # or the same process has taken the shard again, and they come with its new ones
        following = replace(record, number=record.number + 1)
        with pytest.raises(Fenced):
            store.write(
                [
                    BatchOutcome(shard, old, record, b"1000\t0\tx\t0\t0\t1\n"),
                    BatchOutcome(shard, new, following, b"1001\t0\tx\t0\t1\t1\n"),
                ]
            )
        # Then nothing is written, and the new owner can
        assert relay.sql("select count(*) from outbox.deliveries where seq >= 1000") == [(0,)]
        store.write([BatchOutcome(shard, new, record, b"1000\t0\tx\t0\t0\t1\n", read_from={})])
        assert relay.sql("select count(*) from outbox.deliveries where seq >= 1000") == [(1,)]


def test_flags_whose_commit_was_not_answered_are_written_once_and_the_worker_goes_on(
    make_relay: Callable[..., Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a database that goes away right after it has committed flags, three times
    relay = make_relay(shards="1")
    monkeypatch.chdir(relay.folder)
    write, lost = ShardStore.write, []

    def lose_the_answer(self: ShardStore, outcomes: Iterable[BatchOutcome]) -> None:
        write(self, outcomes)
        if len(lost) < 3:
            lost.append(self)
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(ShardStore, "write", lose_the_answer)
    with relay.working_here():
        for number in range(1, 6):
            # When the flags are written again
            relay.publish("a", number)
            relay.wait_until_delivered(number)
            until(lambda least=number: len(lost) >= min(least, 3))
    # Then each event has one flag, and nothing had to be taken over
    assert relay.sql("select count(*) from outbox.deliveries") == [(5,)]
    assert_flags_match_the_topic(relay)
    assert relay.sql("select epoch from outbox.shards") == [(1,)]


def test_two_workers_in_one_folder_have_two_instance_ids_and_a_restart_has_the_same() -> None:
    first, second = InstanceId("seats"), InstanceId("seats")
    assert first.name != second.name
    taken = first.name
    del first
    assert InstanceId("seats").name == taken


@pytest.mark.parametrize("seconds", [1, 4])
def test_a_frozen_worker_is_fenced_and_neither_owner_fences_the_other_forever(
    make_relay: Callable[..., Relay], seconds: int
) -> None:
    # Given two workers under load, a session of 2 s
    relay = make_relay(shards="2", transaction_timeout_ms="5000")
    workers = [relay.start("run") for _ in range(2)]
    try:
        until(lambda: relay.log().count("taken over at transaction") >= 2)
        count = 0

        def publish_for(duration: float) -> None:
            nonlocal count
            deadline = time.monotonic() + duration
            while time.monotonic() < deadline:
                relay.publish(f"k{count % 20}", count)
                count += 1
                time.sleep(0.005)  # some hundred a second are load enough

        publish_for(1.0)
        # When each in turn is frozen, shorter and longer than its session, and comes back
        for worker in workers:
            os.kill(worker.pid, signal.SIGSTOP)
            publish_for(seconds)
            os.kill(worker.pid, signal.SIGCONT)
            publish_for(1.0)
        relay.wait_until_delivered(count, timeout=60)
        epochs = relay.sql("select sum(epoch) from outbox.shards")[0][0]
        publish_for(3.0)
        relay.wait_until_delivered(count, timeout=60)
        # Then they come to rest
        assert relay.sql("select sum(epoch) from outbox.shards")[0][0] - epochs <= 1
    finally:
        for worker in workers:
            end(worker)
    # and nothing is lost, doubled or out of order
    published = relay.published()
    assert len(published) == count
    assert_flags_match_the_topic(relay)
    last: dict[str, int] = {}
    for record in published:
        assert record.sequence > last.get(record.key, 0)
        last[record.key] = record.sequence


def test_a_worker_asks_the_group_before_it_takes_a_shard_again(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a worker whose database connections break again and again
    relay = make_relay(shards="1")
    worker = relay.start("run")
    try:
        relay.publish("a", 0)
        relay.wait_until_delivered(1)
        for number in range(1, 6):
            relay.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where application_name = 'relay capture' and datname = current_database()"
            )
            # When it takes its shard over anew each time
            relay.publish("a", number)
            relay.wait_until_delivered(number + 1)
    finally:
        end(worker)
    # Then nothing is lost, doubled or out of order
    assert [record.sequence for record in relay.published()] == list(range(1, 7))


def test_a_worker_that_is_stopped_hands_its_shards_over_with_nothing_left_to_redo(
    relay: Relay,
) -> None:
    worker = relay.start("run")
    relay.publish("a", 1)
    relay.wait_until_delivered(1)
    for number in range(2, 200):
        relay.publish(f"k{number}", number)
    # When it is asked to stop
    assert end(worker) == 0
    # Then every record in Kafka has its flag already
    assert len(relay.published()) == relay.sql("select count(*) from outbox.deliveries")[0][0]
    relay.must("run", "--until-idle")
    assert len(relay.published()) == 199


def test_a_killed_workers_shards_are_taken_over_soon_by_its_successor(relay: Relay) -> None:
    # Given a supervised worker
    supervisor = relay.start("run", "--workers", "2", EVENT_BUS_SESSION_TIMEOUT_MS="30000")
    try:
        relay.publish("a", 1)
        relay.wait_until_delivered(1)
        # When both its workers are killed
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(supervisor.pid)],
            capture_output=True, text=True, check=True,
        ).stdout.split()  # fmt: skip
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        relay.publish("a", 2)
        # Then the next event is out long before the session of 30 s is over
        relay.wait_until_delivered(2, timeout=20)
    finally:
        end(supervisor)


def test_flags_are_redone_right_though_another_transaction_hides_the_records(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a published event without its flag, behind the open transaction of somebody else
    relay = make_relay(shards="1", partitions="1")
    worker = relay.start("run")
    relay.publish("warm", 0)
    relay.wait_until_delivered(1)
    other = Producer(
        {
            "bootstrap.servers": relay.environment["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"],
            "transactional.id": f"{relay.name}.other",
        }
    )
    other.init_transactions(10)
    other.begin_transaction()
    with relay.locked("outbox.deliveries"):
        other.produce(relay.topic, b"", b"other", 0)
        other.flush()
        relay.publish("a", 1)
        until(lambda: records(relay)[0].number == 2)
        kill(worker)
    # When a successor looks for it
    with relay.running():
        until(lambda: relay.sql("select epoch from outbox.shards") == [(2,)])
        # Then it says nothing while it can't see what is there
        with pytest.raises(AssertionError):
            until(lambda: "are redone" in relay.log(), timeout=1.5)
        # and looks on until the other transaction has ended
        other.commit_transaction(10)
        relay.wait_until_delivered(2)
    assert relay.status()[1]["kafka_offset"] is not None


def test_a_worker_frozen_inside_its_flags_transaction_does_not_hold_its_shard(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a worker that is frozen while its transaction holds the shard's row
    relay = make_relay(shards="1")
    frozen = relay.start("run")
    try:
        relay.publish("a", 1)
        relay.wait_until_delivered(1)
        with relay.locked("outbox.deliveries"):
            relay.publish("a", 2)
            until(
                lambda: (
                    relay.sql(
                        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' "
                        "and application_name = 'relay deliveries'"
                    )
                    == [(1,)]
                )
            )
            os.kill(frozen.pid, signal.SIGSTOP)
        # When another worker takes the shard over
        other = relay.start("run")
        relay.publish("a", 3)
        # Then it does not wait until the frozen one is found dead
        relay.wait_until_delivered(3, timeout=60)
        assert other.poll() is None
    finally:
        os.kill(frozen.pid, signal.SIGCONT)
    ids = [record.event_id for record in relay.published()]
    assert len(ids) == len(set(ids)) == 3
