"""The producer of one shard: a transaction a batch, or plain idempotent delivery.

Every failure is a `Doubt`: whether the batch is in Kafka is then only known from the positions
topic, so the producer is given up and the shard taken over anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer, libversion

from relay.errors import ConfigurationInvalid
from relay.kafka.errors import is_unavailable as is_away
from relay.kafka.options import client_options
from relay.publish.doubt import CommitResent, Doubt, Refused, Server
from relay.publish.end_txn import EndTxnLog
from relay.publish.message import Message
from relay.settings import Settings

__all__ = ["Acknowledged", "ShardProducer", "transactional_id"]

log = logging.getLogger(__name__)

# How many messages are handed over between two looks at what the broker has acknowledged.
_SERVE_EVERY = 1000


class Acknowledged(Protocol):
    """Collects offsets of one partition, in the order in which its records were produced."""

    seqs: list[int]
    offsets: list[int]


class _Lane:
    """The records that one batch puts into one partition: events, or copies of one number."""

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


_BLAMES_A_RECORD = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_RECORD,
    KafkaError.INVALID_MSG,
    KafkaError.INVALID_MSG_SIZE,
    KafkaError.POLICY_VIOLATION,
}
_TOPIC_GONE = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
}


def transactional_id(name: str, shard: int) -> str:
    """`relay.<name>.<shard>`: the same for every owner, so that a new one fences the old."""
    return f"relay.{name}.{shard}"


class ShardProducer:
    """Owned by the shard's thread; no other thread may call it."""

    def __init__(self, settings: Settings, shard: int, largest_batch: int) -> None:
        """largest_batch: bytes, no more than the smallest max.message.bytes of the topics."""
        self._exactly_once = settings.delivery == "exactly-once"
        self._timeout = settings.transaction_timeout_ms / 1000
        options: dict[str, Any] = {
            **client_options(settings),
            "client.id": transactional_id(settings.name, shard),
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 0,
            "retry.backoff.ms": 1,
            "retry.backoff.max.ms": 5,
            "batch.size": largest_batch,
            "batch.num.messages": 10_000,
            "message.max.bytes": 100_000_000,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 131_072,
            "topic.metadata.propagation.max.ms": 1_000,
            "compression.type": settings.kafka_options.get("compression.type", "lz4"),
        }
        self._end_txn = EndTxnLog()
        if self._exactly_once:
            options["transactional.id"] = transactional_id(settings.name, shard)
            options["transaction.timeout.ms"] = settings.transaction_timeout_ms
            options |= self._end_txn.options(settings.kafka_options.get("debug"))
        else:
            options["message.timeout.ms"] = settings.transaction_timeout_ms
        self._producer = Producer(options)

    def take(self) -> None:
        """Fences any earlier producer of the shard and ends its open transaction."""
        if self._exactly_once:
            self._ask(lambda: self._producer.init_transactions(30.0), "taking the shard over")

    def publish(
        self,
        batch: Iterable[tuple[int, int, Message]],
        position: Callable[[], tuple[str, int, bytes]],
        before_commit: Callable[[], None],
    ) -> dict[tuple[str, int, int], Acknowledged]:
        """Publishes (seq, copy, message) and the position record, all or (exactly-once) nothing.

        position: gives topic, partition and value of the position record, once the last message was
        taken from `batch`. Without transactions it is not asked for.
        before_commit: called when all records are at the broker; what it raises leaves the
        transaction open, to be ended by whoever takes the shard over. Without transactions it is
        called before anything is sent.
        Returns seqs and offsets by (topic, partition, copy). Raises Doubt, Refused.
        """
        producer, produce = self._producer, self._producer.produce
        failures: list[KafkaError] = []
        lanes: dict[tuple[str, int, int], _Lane] = {}
        if not self._exactly_once:
            before_commit()
        try:
            if self._exactly_once:
                producer.begin_transaction()
            for count, (seq, copy, (topic, value, key, partition, headers)) in enumerate(batch, 1):
                lane = lanes.get((topic, partition, copy))
                if lane is None:
                    lane = lanes[topic, partition, copy] = _Lane(failures)
                lane.seqs.append(seq)
                while True:
                    try:
                        produce(topic, value, key, partition, lane.delivered, None, 0, headers)
                        break
                    except BufferError:
                        producer.poll(0.05)
                if count % _SERVE_EVERY == 0:
                    producer.poll(0)
                    _check(failures)
            if self._exactly_once:
                topic, partition, record = position()
                producer.produce(
                    topic,
                    record,
                    str(partition).encode(),
                    partition,
                    _Lane(failures).delivered,
                )
            left = producer.flush(self._timeout)
            _check(failures)
            if left:
                raise Doubt(
                    f"{left} records were not acknowledged in {self._timeout:.0f} s", "kafka"
                )
        except (KafkaException, SystemError) as error:
            raise _doubt(_kafka_error(error)) from error
        if self._exactly_once:
            before_commit()
            self._commit()
        return dict(lanes)

    def _commit(self) -> None:
        """Commits. Raises CommitResent where the commit succeeded but was sent more than once.

        The first copy of an EndTxn that librdkafka has sent again may still be on its way. It would
        commit the next transaction before its position record is in it (H39); the next owner's
        take() raises the producer's epoch, under which the broker refuses that copy.
        """
        self._end_txn.answers.clear()
        self._ask(lambda: self._producer.commit_transaction(self._timeout), "committing")
        self._ask(lambda: self._producer.poll(0), "committing")
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

    def give_up(self) -> None:
        """Drops everything that is not acknowledged; the next owner's take() ends the rest.

        Nothing else may be called afterwards.
        """
        try:
            self._producer.purge()
            self._producer.poll(0)
        except (KafkaException, SystemError) as error:
            log.debug("a producer that is given up says: %s", _kafka_error(error).str())
        # Its threads end with the last reference, and a failure's traceback may still hold this.
        del self._producer

    def _ask(self, call: Callable[[], Any], what: str) -> None:
        try:
            call()
        except (KafkaException, SystemError) as error:
            found = _kafka_error(error)
            raise Doubt(f"{what}: {found.str()}", _server(found)) from error


def _kafka_error(error: KafkaException | SystemError) -> KafkaError:
    """What Kafka said.

    A fatal error, such as being fenced, is raised by the client while it may still call delivery
    callbacks, whose first call then ends in SystemError with the true error as its cause.
    """
    cause = error.__cause__ if isinstance(error, SystemError) else error
    if not isinstance(cause, KafkaException):
        raise error
    found: KafkaError = cause.args[0]
    return found


def _check(failures: list[KafkaError]) -> None:
    if failures:
        # What was purged or fenced behind the first failure says nothing about the cause.
        telling = [error for error in failures if error.code() in _BLAMES_A_RECORD | _TOPIC_GONE]
        raise _doubt((telling or failures)[0])


def _doubt(error: KafkaError) -> Doubt:
    if error.code() in _TOPIC_GONE:
        return Refused(error.str(), gone=True)
    if error.code() in _BLAMES_A_RECORD:
        return Refused(error.str(), gone=False)
    return Doubt(error.str(), _server(error))


def _server(error: KafkaError) -> Server | None:
    return "kafka" if is_away(error) else None
