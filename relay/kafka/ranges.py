"""Reads partitions from given offsets to given ends."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from typing import Final

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from relay.errors import BrokerUnavailable
from relay.kafka.errors import broker_call
from relay.kafka.offsets import Bounds, Partition

__all__ = ["read_ranges"]

_FETCH: Final = 5_000
_POLL_S: Final = 0.2
# Longer than a dead producer's transaction can stay open: its timeout (10 s) and the broker's next
# check for expired ones (10 s).
_SILENCE_S: Final = 30.0


def read_ranges(
    consumer: Consumer, ranges: Mapping[Partition, Bounds], *, silence_s: float = _SILENCE_S
) -> Generator[list[Message], None, None]:
    """Yields all committed records within `ranges` in batches, each partition in order.

    consumer: from relay.kafka.clients.reader. While an open transaction hides what is committed
    after it, reading waits for the end of that transaction.
    silence_s: longest wait for the next record. Raises BrokerUnavailable.
    """
    left = {place: bounds.end for place, bounds in ranges.items() if bounds.low < bounds.end}
    if not left:
        return
    consumer.assign([TopicPartition(*place, ranges[place].low) for place in left])
    arrived = time.monotonic()
    try:
        while left:
            with broker_call(f"{_names(left)} can't be read"):
                # consume() would wait for a full batch, even at the end of a partition.
                first = consumer.poll(_POLL_S)
                messages = [first, *consumer.consume(_FETCH, 0)] if first is not None else []
            if messages:
                arrived = time.monotonic()
                yield [message for message in messages if _is_within(message, left)]
            elif time.monotonic() - arrived > silence_s:
                raise BrokerUnavailable(
                    f"{_names(left)} could not be read to the end: nothing arrived in "
                    f"{silence_s:.0f} s. Check that Kafka runs and that no transaction hangs there."
                )
    finally:
        consumer.unassign()


def _is_within(message: Message, left: dict[Partition, int]) -> bool:
    """Checks whether a message is a record to read; removes finished partitions from `left`."""
    place = (message.topic() or "", message.partition() or 0)
    end = left.get(place)
    error = message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:
        raise BrokerUnavailable(
            f"topic {place[0]} can't be read: {error.str()}. Check that Kafka runs."
        )
    offset = message.offset()
    if end is None or offset is None:
        return False
    # The end of a partition is reported at the offset of what comes next.
    following = offset if error is not None else offset + 1
    if following >= end:
        del left[place]
    return error is None and offset < end


def _names(places: Mapping[Partition, int]) -> str:
    return ", ".join(f"{topic}[{partition}]" for topic, partition in sorted(places))
