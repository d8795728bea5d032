"""librdkafka options of consumers and of the dead letters' producer, and checks of topics."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from relay.errors import BrokerUnavailable, ConfigurationInvalid
from relay.kafka.client_log import BrokerWatch, ClientLog
from relay.kafka.options import client_options
from relay.settings import Settings

__all__ = [
    "Ends",
    "as_bytes",
    "consumer",
    "existing_topics",
    "headers_of",
    "idempotent_producer",
    "leave",
    "reason",
    "require_topics",
]

log = logging.getLogger(__name__)

METADATA_TIMEOUT_S = 10
# For callbacks that are on their way, and at most for those that take their time.
LEAVE_POLL_S = 0.1
LEAVE_TIMEOUT_S = 10.0


def consumer(settings: Settings, group: str, watch: BrokerWatch, **options: Any) -> Consumer:
    """A consumer that sees only what was committed and commits only what it is told to.

    watch: reports whether it has a connection to a broker.

    isolation.level read_committed: without it, events of aborted transactions are seen, and so
    events twice and out of order.
    """
    return Consumer(
        {
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
            **settings.kafka_options,
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            "group.id": group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            **watch.options(),
            **options,
        }
    )


def leave(member: Consumer) -> None:
    """Leaves the group and closes; the callbacks for what is revoked come before it returns.

    They are served before the closing: one that is still on its way then can wait for ever for a
    thread that has ended, and the whole process with it (librdkafka, issue 4041).
    """
    member.unsubscribe()
    deadline = time.monotonic() + LEAVE_TIMEOUT_S
    while True:
        member.poll(LEAVE_POLL_S)
        if not member.assignment() or time.monotonic() > deadline:
            break
    member.close()


def idempotent_producer(settings: Settings, name: str) -> Producer:
    """A producer whose records are kept by all in-sync replicas, in order and once each."""
    return Producer(
        {
            "client.id": f"relay-{name}",
            "linger.ms": 5,
            "message.timeout.ms": 15_000,
            # The topic's limit decides, not the client's, which is below what a topic may hold.
            "message.max.bytes": 100_000_000,
            **settings.kafka_options,
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            "enable.idempotence": True,
            "acks": "all",
            "partitioner": "murmur2_random",
            "logger": ClientLog(),
        }
    )


def existing_topics(client: Consumer | Producer) -> set[str]:
    """Names of the broker's topics. Raises BrokerUnavailable."""
    try:
        found = client.list_topics(timeout=METADATA_TIMEOUT_S).topics
    except KafkaException as error:
        raise BrokerUnavailable(
            f"Kafka does not answer: {reason(error)}. "
            "Check EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS and EVENT_BUS_KAFKA_OPTIONS"
        ) from error
    return {name for name, topic in found.items() if topic.error is None}


def require_topics(client: Consumer | Producer, topics: Iterable[str]) -> None:
    """Raises ConfigurationInvalid, which names the topics that are missing."""
    if missing := sorted(set(topics) - existing_topics(client)):
        raise ConfigurationInvalid(
            f"topics are missing: {', '.join(missing)}. Run relay migrate, which creates them "
            "(a group's own topics need the group among the consumers in its domain.yaml)"
        )


def as_bytes(value: str | bytes | None) -> bytes | None:
    """Key, value or header as the wire has it; the client's types allow text too."""
    return value.encode() if isinstance(value, str) else value


def headers_of(message: Message) -> tuple[tuple[str, bytes | None], ...]:
    """A record's headers in their order, names may repeat."""
    found = message.headers() or ()
    pairs = found.items() if isinstance(found, dict) else found
    return tuple((name, as_bytes(value)) for name, value in pairs)


class Ends:
    """Ends of partitions as the broker has them now, open transactions included.

    Asked over a connection of its own: a consumer's waits behind its own long poll for each.
    """

    def __init__(self, settings: Settings) -> None:
        self._admin = AdminClient(client_options(settings))
        spec: Any = OffsetSpec  # without types in its package
        self._latest = spec.latest()

    def reached(self, read: dict[tuple[str, int], int]) -> bool:
        """Whether the offsets in `read`, the next ones to read, are the ends of all partitions.

        read: (topic, partition) -> offset. False also when the broker does not answer.
        """
        if not read:
            return True
        asked = {TopicPartition(*place): self._latest for place in read}
        try:
            answers = self._admin.list_offsets(asked, request_timeout=METADATA_TIMEOUT_S)
            return all(
                answer.result().offset <= read[(place.topic, place.partition)]
                for place, answer in answers.items()
            )
        except KafkaException as error:
            log.info("the topics' ends are not known, asking again: %s", reason(error))
            return False


def reason(error: KafkaException) -> str:
    """What a broker or librdkafka says, without the tuple around it."""
    detail = error.args[0] if error.args else error
    return str(detail.str()) if isinstance(detail, KafkaError) else str(detail)
