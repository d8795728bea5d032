"""Finds where events lie in their topics by reading the topics' ends."""

from __future__ import annotations

import time
from collections.abc import Container
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from relay.errors import BrokerUnavailable
from relay.publish.record import Ends

__all__ = ["Place", "find"]

_SILENCE = 15.0


class Place(NamedTuple):
    """Where a record lies, and its key."""

    topic: str
    partition: int
    offset: int
    key: str


def find(
    consumer: Consumer, starts: Ends, wanted: Container[str] | None, most: int | None = None
) -> dict[str, Place]:
    """Event ids and their places, from `starts` up to each partition's last stable offset.

    consumer: from relay.publish.positions.reader. wanted: ids to look for; None for all.
    most: stop once so many are found. An id that is not found is not in the topics' tails: aborted
    transactions are not seen. Raises BrokerUnavailable.
    """
    reading = {
        (topic, partition): TopicPartition(topic, partition, offset)
        for topic, ends in starts.items()
        for partition, offset in ends.items()
    }
    found: dict[str, Place] = {}
    if not reading:
        return found
    consumer.assign(list(reading.values()))
    heard = time.monotonic()
    try:
        while reading and (most is None or len(found) < most):
            messages: list[Any] = consumer.consume(10_000, 0.2)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > _SILENCE:
                raise BrokerUnavailable(
                    f"the ends of {sorted(reading)} did not arrive in {_SILENCE:.0f} s. "
                    "Check that Kafka runs."
                )
            for message in messages:
                if (error := message.error()) is not None:
                    if error.code() != KafkaError._PARTITION_EOF:
                        raise BrokerUnavailable(
                            f"topic {message.topic()} can't be read: {error.str()}. "
                            "Check that Kafka runs."
                        )
                    reading.pop((message.topic(), message.partition()), None)
                elif (event_id := _event_id(message)) is not None and (
                    wanted is None or event_id in wanted
                ):
                    found[event_id] = Place(
                        message.topic(),
                        message.partition(),
                        message.offset(),
                        (message.key() or b"").decode(errors="replace"),
                    )
    except KafkaException as error:
        raise BrokerUnavailable(
            f"the topics' ends can't be read: {error.args[0].str()}. Check that Kafka runs."
        ) from error
    finally:
        consumer.unassign()
    return found


def _event_id(message: Any) -> str | None:
    for name, value in message.headers() or ():
        if name == "ce_id":
            return str(value.decode())
    return None
