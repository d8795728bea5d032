"""Hazards of a transaction that a broker never ended: its marker is missing in a partition."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from confluent_kafka import KafkaException, Producer

from relay.publish.takeover import undecided
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
        servers = relay.environment["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"]
        operator = [sys.executable, "-m", "tests.chaos.operator", servers, *asked]
        assert b"aborted" in subprocess.run(operator, capture_output=True, check=True).stdout
        until(lambda: relay.sql("select count(*) from outbox.deliveries") == [(2,)], timeout=40)
    relay.must("run", "--until-idle")
    assert relay.sql("select count(*) from outbox.deliveries") == [(2,)]
    assert len(relay.published()) == 2
