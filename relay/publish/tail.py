"""Finds where events lie in their topics by reading the topics' ends."""

from __future__ import annotations

import time
from collections.abc import Container
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from relay.errors import BrokerUnavailable
from relay.publish.record import Ends

__all__ = ["Place", "find"]

# Longer than a dead producer's transaction can stay open: its timeout (10 s) and the broker's next
# look at expired ones (10 s).
_SILENCE = 30.0


class Place(NamedTuple):
    """Where a record lies, and its key."""

    topic: str
    partition: int
    offset: int
    key: str


def find(
    consumer: Consumer,
    starts: Ends,
    stops: Ends,
    wanted: Container[str] | None,
    most: int | None = None,
) -> dict[str, Place]:
    """Event ids and their places between `starts` and `stops`.

    consumer: from relay.publish.positions.reader. stops: high watermarks; while another shard's
    open transaction hides what is committed behind it, the reading waits for its end.
    wanted: ids to look for; None for all. most: stop once so many are found. An id that is not
    found is not there: aborted transactions are not seen. Raises BrokerUnavailable.
    """
    reading = {
        (topic, partition): stop
        for topic, ends in stops.items()
        for partition, stop in ends.items()
        if starts[topic].get(partition, 0) < stop
    }
    found: dict[str, Place] = {}
    if not reading:
        return found
    consumer.assign(
        [TopicPartition(*place, starts[place[0]].get(place[1], 0)) for place in reading]
    )
    heard = time.monotonic()
    try:
        while reading and (most is None or len(found) < most):
            messages: list[Any] = consumer.consume(10_000, 0.2)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > _SILENCE:
                raise BrokerUnavailable(
                    f"the ends of {sorted(reading)} did not arrive in {_SILENCE:.0f} s. "
                    "Check that Kafka runs and that no transaction hangs there."
                )
            for message in messages:
                if (error := message.error()) is not None:
                    if error.code() != KafkaError._PARTITION_EOF:
                        raise BrokerUnavailable(
                            f"topic {message.topic()} can't be read: {error.str()}. "
                            "Check that Kafka runs."
                        )
                    place = (message.topic(), message.partition())
                    if message.offset() >= reading.get(place, 0):
                        reading.pop(place, None)
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
