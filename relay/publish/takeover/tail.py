"""Finds where events lie in their topics by reading the topics' ends."""

from __future__ import annotations

import time
from collections.abc import Container
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from relay.errors import BrokerUnavailable
from relay.publish.record import Ends
from relay.schema.majors.copies import number_of

__all__ = ["Place", "find"]

# Longer than a dead producer's transaction can stay open: its timeout (10 s) and the broker's next
# look at expired ones (10 s).
_SILENCE = 30.0


class Place(NamedTuple):
    """Where a record of an event lies, its key, and which copy it is (0: the original)."""

    topic: str
    partition: int
    offset: int
    key: str
    copy: int


def find(
    consumer: Consumer,
    starts: Ends,
    stops: Ends,
    wanted: Container[str] | None,
    most: int | None = None,
) -> dict[str, list[Place]]:
    """Event ids and where their records lie between `starts` and `stops`, the original's last.

    consumer: from positions.reader. stops: high watermarks; while another shard's open transaction
    hides what is committed behind it, the reading waits for its end.
    wanted: ids to look for; None for all. most: stop once so many are found. An id that is not
    found is not there: aborted transactions are not seen. Copies lie before their original; those
    without one are left out. Raises BrokerUnavailable.
    """
    reading = {
        (topic, partition): stop
        for topic, ends in stops.items()
        for partition, stop in ends.items()
        if starts[topic].get(partition, 0) < stop
    }
    found = _Found(wanted)
    if not reading:
        return found.places
    consumer.assign(
        [TopicPartition(*place, starts[place[0]].get(place[1], 0)) for place in reading]
    )
    heard = time.monotonic()
    try:
        while reading and (most is None or len(found.places) < most):
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
                else:
                    found.take(message)
    except KafkaException as error:
        raise BrokerUnavailable(
            f"the topics' ends can't be read: {error.args[0].str()}. Check that Kafka runs."
        ) from error
    finally:
        consumer.unassign()
    return found.places


class _Found:
    """The places of events that are looked for, each with those of its copies."""

    def __init__(self, wanted: Container[str] | None) -> None:
        self.places: dict[str, list[Place]] = {}
        self._wanted = wanted
        self._copies: dict[str, list[Place]] = {}

    def take(self, message: Any) -> None:
        headers = dict(message.headers() or ())
        original = headers.get("ce_originalid")
        name = original or headers.get("ce_id")
        if name is None or (self._wanted is not None and name.decode() not in self._wanted):
            return
        event_id = name.decode()
        place = Place(
            message.topic(),
            message.partition(),
            message.offset(),
            (message.key() or b"").decode(errors="replace"),
            number_of(original, headers.get("ce_type")),
        )
        if place.copy:
            self._copies.setdefault(event_id, []).append(place)
        else:
            self.places[event_id] = [*self._copies.pop(event_id, ()), place]
