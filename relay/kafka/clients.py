"""Creates consumers and producers, and leaves a consumer group."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from relay.kafka.client_log import BrokerWatch, ClientLog
from relay.kafka.errors import option_errors
from relay.kafka.options import INFO, consumer_options, producer_options
from relay.observe import Events
from relay.outages import Outage
from relay.settings import Settings

__all__ = [
    "group_consumer",
    "idempotent_producer",
    "leave",
    "open_consumer",
    "open_producer",
    "reader",
    "refuse_bad_options",
]

# One poll for pending callbacks, and the longest time for all of them.
LEAVE_POLL_S: Final = 0.1
LEAVE_TIMEOUT_S: Final = 10.0


def open_consumer(options: Mapping[str, Any]) -> Consumer:
    """Creates a consumer; raises ConfigurationInvalid when librdkafka refuses an option."""
    with option_errors():
        return Consumer(dict(options))


def open_producer(options: Mapping[str, Any]) -> Producer:
    """Creates a producer; raises ConfigurationInvalid when librdkafka refuses an option."""
    with option_errors():
        return Producer(dict(options))


def group_consumer(
    settings: Settings,
    group: str,
    watch: BrokerWatch,
    on_commit: Callable[[KafkaError | None, list[TopicPartition]], None] | None = None,
) -> Consumer:
    """Creates a member of a consumer group that reports the end of each partition.

    watch: reports whether it has a connection to a broker. on_commit: is called from `poll` with
    the answer to an asynchronous commit: an error, or partitions of which some may have one.
    """
    return open_consumer(
        consumer_options(
            settings,
            group,
            {
                "log_level": INFO,
                "client.id": f"relay-{group}",
                "auto.offset.reset": "earliest",
                "session.timeout.ms": settings.session_timeout_ms,
                "heartbeat.interval.ms": max(100, settings.session_timeout_ms // 6),
                "max.poll.interval.ms": max(300_000, settings.session_timeout_ms),
                "queued.max.messages.kbytes": 16_384,
                "fetch.wait.max.ms": 200,
                "fetch.error.backoff.ms": 100,
                "topic.metadata.refresh.interval.ms": 10_000,
                "allow.auto.create.topics": False,
            },
            {
                "enable.partition.eof": True,
                **watch.options(),
                **({"on_commit": on_commit} if on_commit is not None else {}),
            },
        )
    )


def reader(settings: Settings, *, undecided: bool = False) -> Consumer:
    """Creates a consumer for relay.kafka.ranges, without a group and without commits.

    undecided: it also reads what is not committed, or was aborted.
    """
    return open_consumer(
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
                **({"isolation.level": "read_uncommitted"} if undecided else {}),
            },
        )
    )


def idempotent_producer(settings: Settings, name: str) -> Producer:
    """Creates a producer without transactions that chooses partitions as Java clients do."""
    return open_producer(
        producer_options(
            settings,
            f"relay-{name}",
            {"log_level": INFO, "linger.ms": 5, "message.timeout.ms": 15_000},
            {"partitioner": "murmur2_random", "logger": ClientLog()},
        )
    )


def refuse_bad_options(settings: Settings) -> None:
    """Raises ConfigurationInvalid for an option that librdkafka refuses for some kind of client."""
    # They may find no broker, which others report.
    quiet = settings.model_copy(
        update={"kafka_options": {**settings.kafka_options, "log_level": 0}}
    )
    watch = BrokerWatch(Outage("Kafka", Events()), "options")
    group_consumer(quiet, f"relay.{settings.name}.options", watch).close()
    reader(quiet).close()
    idempotent_producer(quiet, "options").close()


def leave(member: Consumer) -> None:
    """Leaves the group, serves the revocation callbacks, and closes.

    A callback that is still pending while the consumer closes can block the process forever
    (librdkafka, issue 4041).
    """
    member.unsubscribe()
    deadline = time.monotonic() + LEAVE_TIMEOUT_S
    while True:
        member.poll(LEAVE_POLL_S)
        if not member.assignment() or time.monotonic() > deadline:
            break
    member.close()
