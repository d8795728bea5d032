"""Consumers and producers of the relay, and leaving a consumer group."""

from __future__ import annotations

import time
from typing import Final

from confluent_kafka import Consumer, Producer

from relay.kafka.client_log import BrokerWatch, ClientLog
from relay.kafka.options import INFO, consumer_options, producer_options
from relay.settings import Settings

__all__ = ["group_consumer", "idempotent_producer", "leave", "reader"]

# For callbacks that are on their way, and at most for those that take their time.
LEAVE_POLL_S: Final = 0.1
LEAVE_TIMEOUT_S: Final = 10.0


def group_consumer(settings: Settings, group: str, watch: BrokerWatch) -> Consumer:
    """A member of a consumer group that reports the end of each partition.

    watch: reports whether it has a connection to a broker.
    """
    return Consumer(
        consumer_options(
            settings,
            group,
            {
                "log_level": INFO,
                "client.id": f"relay-{group}",
                "auto.offset.reset": "earliest",
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": settings.session_timeout_ms,
                "heartbeat.interval.ms": max(100, settings.session_timeout_ms // 6),
                "max.poll.interval.ms": max(300_000, settings.session_timeout_ms),
                "queued.max.messages.kbytes": 16_384,
                "fetch.wait.max.ms": 200,
                "fetch.error.backoff.ms": 100,
                "topic.metadata.refresh.interval.ms": 10_000,
                "allow.auto.create.topics": False,
            },
            {"enable.partition.eof": True, **watch.options()},
        )
    )


def reader(settings: Settings) -> Consumer:
    """A consumer for relay.kafka.ranges: it belongs to no group and commits nothing."""
    return Consumer(
        consumer_options(
            settings,
            # librdkafka requires a group id even where partitions are assigned by hand.
            f"relay.{settings.name}.reader",
            required={
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "queued.max.messages.kbytes": 16_384,
                # The broker answers a fetch at a partition's end only after this long, and each
                # take-over reads to its partition's end while the other shards wait for the reader.
                "fetch.wait.max.ms": 10,
            },
        )
    )


def idempotent_producer(settings: Settings, name: str) -> Producer:
    """A producer without transactions that chooses partitions as Java clients do."""
    return Producer(
        producer_options(
            settings,
            f"relay-{name}",
            {"log_level": INFO, "linger.ms": 5, "message.timeout.ms": 15_000},
            {"partitioner": "murmur2_random", "logger": ClientLog()},
        )
    )


def leave(member: Consumer) -> None:
    """Leaves the group and closes; the callbacks for what is revoked come before it returns.

    They are served before the closing: one that is still on its way then can wait forever for a
    thread that has ended, and the whole process with it (librdkafka, issue 4041).
    """
    member.unsubscribe()
    deadline = time.monotonic() + LEAVE_TIMEOUT_S
    while True:
        member.poll(LEAVE_POLL_S)
        if not member.assignment() or time.monotonic() > deadline:
            break
    member.close()
