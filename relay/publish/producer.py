"""The producer of one shard: a transaction a batch, or idempotent delivery without transactions.

Every failure is an OutcomeUnknown: the producer is dropped and the shard taken over again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from confluent_kafka import KafkaError, KafkaException, libversion

from relay.errors import ConfigurationInvalid
from relay.kafka import clients
from relay.kafka.errors import refusal
from relay.kafka.options import producer_options
from relay.publish.end_txn import EndTxnLog
from relay.publish.errors import CommitResent, OutcomeUnknown, RecordRefused
from relay.publish.message import Message
from relay.publish.producer_errors import (
    DROPPED,
    RECORD_REFUSED,
    TOPIC_REFUSED,
    kafka_error,
    outcome_unknown,
    unknown,
)
from relay.settings import Settings

__all__ = [
    "Acknowledged",
    "AtLeastOnceProducer",
    "ExactlyOnceProducer",
    "Published",
    "ShardProducer",
    "open_producer",
    "transactional_id",
]

log = logging.getLogger(__name__)

# How many messages are handed over between two looks at what the broker has acknowledged.
_SERVE_EVERY = 1000
_INIT_SECONDS = 30.0


class Acknowledged:
    """The records that one batch puts into one partition: events, or copies of one number.

    seqs: of their rows. offsets: in the same order, once the broker has acknowledged them.
    """

    __slots__ = ("delivered", "offsets", "seqs")

    def __init__(self, failures: list[KafkaError]) -> None:
        self.seqs: list[int] = []
        self.offsets: list[int] = []
        append = self.offsets.append

        def delivered(error: KafkaError | None, message: Any) -> None:
            if error is None:
                append(message.offset())
            else:
                failures.append(error)

        self.delivered = delivered


# By topic, partition and copy.
Published = Mapping[tuple[str, int, int], Acknowledged]


def open_producer(settings: Settings, shard: int, largest_batch: int) -> ShardProducer:
    """The producer for EVENT_BUS_DELIVERY.

    largest_batch: bytes, no more than the smallest max.message.bytes of the topics.
    Raises ConfigurationInvalid when librdkafka refuses an option.
    """
    if settings.delivery == "exactly-once":
        return ExactlyOnceProducer(settings, shard, largest_batch)
    return AtLeastOnceProducer(settings, shard, largest_batch)


def transactional_id(name: str, shard: int) -> str:
    """`relay.<name>.<shard>`: the same for every owner, so that a new one fences the old."""
    return f"relay.{name}.{shard}"


class ShardProducer:
    """What both kinds share. Owned by the shard's thread; no other thread may call it.

    The calls of one batch, in this order: begin, send, send_position, flush, commit. Each raises
    OutcomeUnknown or RecordRefused; nothing but `drop` may be called afterwards.
    """

    is_transactional: ClassVar[bool] = False

    def __init__(self, settings: Settings, shard: int, largest_batch: int) -> None:
        self._timeout = settings.transaction_timeout_ms / 1000
        self._failures: list[KafkaError] = []
        self._producer = clients.open_producer(
            producer_options(
                settings,
                transactional_id(settings.name, shard),
                defaults={"compression.type": "lz4"},
                required={
                    "linger.ms": 0,
                    "retry.backoff.ms": 1,
                    "retry.backoff.max.ms": 5,
                    "batch.size": largest_batch,
                    "batch.num.messages": 10_000,
                    "queue.buffering.max.messages": 1_000_000,
                    "queue.buffering.max.kbytes": 131_072,
                    "topic.metadata.propagation.max.ms": 1_000,
                    **self._own_options(settings, shard),
                },
            )
        )

    def _own_options(self, settings: Settings, shard: int) -> dict[str, Any]:
        raise NotImplementedError

    def take(self) -> None:
        """Fences any earlier producer of the shard and ends its open transaction."""

    def begin(self) -> None:
        """Begins a batch."""
        self._failures.clear()

    def send(self, messages: Iterable[tuple[int, int, Message]]) -> Published:
        """Hands (seq, copy, message) over to be sent; the offsets in the result are complete once
        `flush` returns."""
        producer, produce, failures = self._producer, self._producer.produce, self._failures
        published: dict[tuple[str, int, int], Acknowledged] = {}
        with outcome_unknown():
            for count, (seq, copy, (topic, value, key, partition, headers)) in enumerate(
                messages, 1
            ):
                place = published.get((topic, partition, copy))
                if place is None:
                    place = published[topic, partition, copy] = Acknowledged(failures)
                place.seqs.append(seq)
                while True:
                    try:
                        produce(topic, value, key, partition, place.delivered, None, 0, headers)
                        break
                    except BufferError:
                        producer.poll(0.05)
                if count % _SERVE_EVERY == 0:
                    producer.poll(0)
                    self._raise_failures()
        return published

    def send_position(self, topic: str, partition: int, record: bytes) -> None:
        """Hands the position record over, which commits together with the events."""

    def flush(self) -> None:
        """Waits until the broker has acknowledged all that was handed over."""
        with outcome_unknown():
            left = self._producer.flush(self._timeout)
        self._raise_failures()
        if left:
            raise OutcomeUnknown(
                f"{left} records were not acknowledged in {self._timeout:.0f} s", "kafka"
            )

    def _raise_failures(self) -> None:
        if failures := self._failures:
            # Errors of records that were purged or fenced later do not show the cause.
            known = RECORD_REFUSED | TOPIC_REFUSED
            causes = [error for error in failures if error.code() in known]
            raise self._failure((causes or failures)[0])

    def _failure(self, error: KafkaError) -> OutcomeUnknown:
        """What a record's error means for its batch."""
        return unknown(error)

    def commit(self) -> None:
        """Makes the batch visible."""

    def drop(self) -> None:
        """Drops everything that is not acknowledged; the next owner's take() aborts the rest.

        Nothing else may be called afterwards.
        """
        try:
            self._producer.purge()
            self._producer.poll(0)
        except (KafkaException, SystemError) as error:
            log.debug("a producer that is dropped reports: %s", kafka_error(error).str())
        # Its threads end with the last reference, and a traceback may still refer to this object.
        del self._producer


class AtLeastOnceProducer(ShardProducer):
    """For brokers without transactions: what is sent is visible at once, the position is kept in
    the database only."""

    def _own_options(self, settings: Settings, shard: int) -> dict[str, Any]:  # noqa: ARG002
        # A record that timed out by itself would let those after it pass. `flush` has a timeout,
        # and what it leaves is dropped from the end.
        return {"message.timeout.ms": 0}


class ExactlyOnceProducer(ShardProducer):
    """One transaction a batch, with the position record in it."""

    is_transactional = True

    def _own_options(self, settings: Settings, shard: int) -> dict[str, Any]:
        self._end_txn = EndTxnLog()
        return {
            "transactional.id": transactional_id(settings.name, shard),
            "transaction.timeout.ms": settings.transaction_timeout_ms,
            **self._end_txn.options(settings.kafka_options.get("debug")),
        }

    def take(self) -> None:
        with outcome_unknown("taking the shard over"):
            try:
                self._producer.init_transactions(_INIT_SECONDS)
            except KafkaException as error:
                if error.args[0].code() == KafkaError.INVALID_TRANSACTION_TIMEOUT:
                    raise refusal(error.args[0]) from error
                raise

    def _failure(self, error: KafkaError) -> OutcomeUnknown:
        # A transaction that failed drops its records, and only its log line has the reason.
        if (reason := self._end_txn.failure) and error.code() in DROPPED:
            if "TOPIC_AUTHORIZATION_FAILED" in reason:
                return RecordRefused(reason, of_topic=True)
            return OutcomeUnknown(reason)
        return super()._failure(error)

    def begin(self) -> None:
        super().begin()
        self._end_txn.failure = ""
        with outcome_unknown("beginning a transaction"):
            self._producer.begin_transaction()

    def send_position(self, topic: str, partition: int, record: bytes) -> None:
        with outcome_unknown():
            self._producer.produce(
                topic,
                record,
                str(partition).encode(),
                partition,
                Acknowledged(self._failures).delivered,
            )

    def commit(self) -> None:
        """Commits. Raises CommitResent where the commit succeeded but was sent more than once.

        The first copy of an EndTxn that librdkafka has sent again may still be on its way. It would
        commit the next transaction before its position record is in it (H39); the next owner's
        take() raises the producer's epoch, under which the broker refuses that copy.
        """
        self._end_txn.answers.clear()
        with outcome_unknown("committing"):
            self._producer.commit_transaction(self._timeout)
            self._producer.poll(0)
        match self._end_txn.answers:
            case ["NO_ERROR"]:
                return
            case []:
                raise ConfigurationInvalid(
                    f"librdkafka {libversion()[0]} does not report how the broker answered a "
                    "commit, so an event could be published twice. Install the version of "
                    "confluent-kafka that this relay was released with"
                )
            case answers:
                raise CommitResent(f"the commit was sent more than once: {', '.join(answers)}")
