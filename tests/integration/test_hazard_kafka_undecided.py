"""Hazards of a transaction that a broker never ended: its marker is missing in a partition."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from relay.kafka.offsets import read_ends
from relay.kafka.options import client_options
from relay.local.kafka import LocalKafka
from relay.publish.errors import OutcomeUnknown
from relay.publish.producer import ExactlyOnceProducer
from relay.publish.takeover import undecided
from relay.publish.takeover.read_from import EndsSeen
from tests.chaos.operator import ASKED
from tests.relaying import Relay
from tests.stack import until


@contextmanager
def hanging(relay: Relay, topic: str, partition: int) -> Iterator[None]:
    """A record in a partition that is neither committed nor aborted, as a lost marker leaves it."""
    producer = Producer(
        {
            "bootstrap.servers": relay.environment["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"],
            "transactional.id": f"hanging.{topic}",
            "transaction.timeout.ms": 120_000,
        }
    )
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(topic, b"{}", b"key", partition)
    producer.flush(20)
    yield
    # Somebody has done so already.
    with suppress(KafkaException):
        producer.abort_transaction(20)


def abort(relay: Relay, topic: str, partition: object, offset: object) -> None:
    """What an operator does where a transaction does not end in a partition."""
    servers = relay.environment["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"]
    command = [sys.executable, "-m", "tests.chaos.operator", servers, topic]
    done = subprocess.run(
        [*command, str(partition), str(offset)], capture_output=True, check=True, text=True
    )
    assert "aborted" in done.stdout


@pytest.mark.parametrize("where", ["positions", "events"])
def test_a_shard_is_not_taken_over_behind_a_transaction_that_does_not_end(
    make_relay: Callable[..., Relay],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    where: str,
) -> None:
    # Given a shard that has published, and a transaction without an end where it wrote
    relay = make_relay(shards="1", session_timeout_ms="6000")
    relay.publish("a", 1)
    relay.must("run", "--until-idle")
    ((partition,),) = relay.sql("select partition from outbox.deliveries")
    topic, number = (relay.positions_topic, 0) if where == "positions" else (relay.topic, partition)
    relay.publish("a", 2)
    monkeypatch.setattr(undecided.await_decided, "__defaults__", (1.0,))
    with hanging(relay, topic, number), relay.working_here():
        # When a worker takes the shard over, then it publishes nothing behind that, and says why
        until(lambda: "does not end" in caplog.text, timeout=40)
        assert "kafka-transactions.sh abort" in caplog.text
        assert relay.sql("select count(*) from outbox.deliveries") == [(1,)]
        # and goes on once it is aborted as the message says
        (asked,) = set(ASKED.findall(caplog.text))
        abort(relay, *asked)
        until(lambda: relay.sql("select count(*) from outbox.deliveries") == [(2,)], timeout=40)
    relay.must("run", "--until-idle")
    assert relay.sql("select count(*) from outbox.deliveries") == [(2,)]
    assert len(relay.published()) == 2


class CommitsWithoutMarker:
    """Commits transactions of a worker in this process; in one partition of the first one there is
    an abort in place of the lost marker."""

    def __init__(
        self, relay: Relay, monkeypatch: pytest.MonkeyPatch, topic: str, partition: int
    ) -> None:
        self.undone = False
        self.dies = False
        original = ExactlyOnceProducer.commit
        admin = AdminClient(client_options(relay.settings()))
        place = (topic, partition)

        def commit(producer: ExactlyOnceProducer) -> None:
            if self.undone:
                return original(producer)
            self.undone = True
            abort(relay, *place, read_ends(admin, [place])[place])
            original(producer)
            if self.dies:
                raise OutcomeUnknown("the worker dies before it has written the flags")
            return None

        monkeypatch.setattr(ExactlyOnceProducer, "commit", commit)


def assert_all_once_in_order(relay: Relay, ids: list[str]) -> None:
    assert [record.event_id for record in relay.published()] == ids
    report = json.loads(relay.must("verify", "--json"))
    wrong = ("lost", "duplicated", "out_of_order", "wrong_flags", "pending", "held")
    assert {name: report[name] for name in wrong} == dict.fromkeys(wrong, 0)


@pytest.mark.parametrize("when", ["before the flags", "after the flags"])
@pytest.mark.parametrize("where", ["positions", "events"])
def test_what_was_committed_and_undone_is_published_again(
    make_relay: Callable[..., Relay],
    own_kafka: LocalKafka,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    when: str,
) -> None:
    # Given a shard that has published, and events of which one follows another
    relay = make_relay(
        shards="1", session_timeout_ms="6000", bootstrap_servers=own_kafka.bootstrap_servers
    )
    ids = [relay.publish("a", 1)]
    relay.must("run", "--until-idle")
    ((partition,),) = relay.sql("select partition from outbox.deliveries")
    ids += [relay.publish("a", number) for number in (2, 3)]
    # When their transaction is committed, but aborted in one of its partitions
    topic, number = (relay.positions_topic, 0) if where == "positions" else (relay.topic, partition)
    faulty = CommitsWithoutMarker(relay, monkeypatch, topic, number)
    faulty.dies = when == "before the flags"
    with relay.working_here():
        relay.wait_until_delivered(3, timeout=120)
        until(lambda: faulty.undone)
    # (a marker is lost only where a partition has no leader for a while)
    own_kafka.kill()
    own_kafka.start()
    # Then the shard's next owner publishes what is missing, and nothing else
    ids.append(relay.publish("a", 4))
    relay.must("run", "--until-idle")
    assert_all_once_in_order(relay, ids)


def test_another_producers_aborts_make_nothing_be_published_again(relay: Relay) -> None:
    # Given records of events beside those that the relay has committed
    ids = [relay.publish("a", number) for number in (1, 2)]
    relay.must("run", "--until-idle")
    producer = Producer(
        {
            "bootstrap.servers": relay.environment["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"],
            "transactional.id": f"other.{relay.name}",
        }
    )
    producer.init_transactions(20)
    producer.begin_transaction()
    for record in relay.published():
        headers = [(name, text.encode()) for name, text in record.headers.items()]
        producer.produce(record.topic, record.value, record.key, record.partition, headers=headers)
    producer.flush(20)
    # When they are aborted
    producer.abort_transaction(20)
    ids.append(relay.publish("a", 3))
    relay.must("run", "--until-idle")
    # Then each event is there once
    assert_all_once_in_order(relay, ids)


def test_a_partition_is_settled_once_nothing_is_open_from_before_its_leader(relay: Relay) -> None:
    def seen() -> EndsSeen:
        ends = EndsSeen(AdminClient(client_options(relay.settings())), lambda: [relay.topic])
        ends.refresh()
        return ends

    # Given a partition with a committed record
    relay.publish("a", 1)
    relay.must("run", "--until-idle")
    ((partition, offset),) = relay.sql("select partition, kafka_offset from outbox.deliveries")
    place = str(partition)
    noted = (seen().latest or {})[relay.topic]
    assert (noted["offsets"][place], noted["epochs"][place]) == (offset + 2, 0)
    # When a transaction is open there that was begun before anybody looked
    with hanging(relay, relay.topic, partition):
        noted = (seen().latest or {})[relay.topic]
        # Then what is noted is its beginning, and it is not settled
        assert noted["offsets"][place] == offset + 2
        assert place not in noted["epochs"]
        assert len(noted["epochs"]) == 3
