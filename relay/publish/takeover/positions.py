"""Reads the last position record of a shard from the positions topic."""

from __future__ import annotations

from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from relay.errors import BrokerUnavailable
from relay.kafka.options import client_options
from relay.publish.record import PositionRecord
from relay.settings import Settings

__all__ = ["last_record", "reader"]

_FIRST_STEP_BACK = 16
_STEP_GROWTH = 8
_TIMEOUT = 15.0


def reader(settings: Settings) -> Consumer:
    """A consumer that sees committed records alone, belongs to no group and commits nothing.

    It reports the end of each partition. Source: KIP-98, `isolation.level=read_committed`.
    """
    return Consumer(
        {
            **client_options(settings),
            # librdkafka asks for a group id even where partitions are assigned by hand.
            "group.id": f"relay.{settings.name}.reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": 16_384,
            # The broker answers a fetch at a partition's end only after this long, and each
            # take-over reads to its partition's end while the other shards wait for the reader.
            "fetch.wait.max.ms": 10,
        }
    )


def last_record(consumer: Consumer, topic: str, shard: int) -> PositionRecord | None:
    """The last committed position record of a shard; None when there is none.

    It is never at the partition's very end, where transaction markers and aborted batches lie, so
    the reading starts ever further back until a record is found, and ends at the last stable
    offset. Raises BrokerUnavailable, PositionRefused.
    """
    try:
        low, end = consumer.get_watermark_offsets(TopicPartition(topic, shard), timeout=_TIMEOUT)
        step = _FIRST_STEP_BACK
        while end > low:
            start = max(low, end - step)
            if (value := _last_value(consumer, topic, shard, start)) is not None:
                return PositionRecord.from_bytes(value)
            if start == low:
                return None
            step *= _STEP_GROWTH
    except KafkaException as error:
        raise BrokerUnavailable(
            f"the position of shard {shard} can't be read from topic {topic}: "
            f"{error.args[0].str()}. Check that Kafka runs."
        ) from error
    return None


def _last_value(consumer: Consumer, topic: str, shard: int, start: int) -> bytes | None:
    consumer.assign([TopicPartition(topic, shard, start)])
    last: bytes | None = None
    try:
        while True:
            message: Any = consumer.poll(_TIMEOUT)
            if message is None:
                raise BrokerUnavailable(
                    f"the position of shard {shard} did not arrive from topic {topic} in "
                    f"{_TIMEOUT:.0f} s. Check that Kafka runs."
                )
            if message.error() is None:
                last = message.value()
            elif message.error().code() == KafkaError._PARTITION_EOF:
                return last
            else:
                raise KafkaException(message.error())
    finally:
        consumer.unassign()
