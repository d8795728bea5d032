"""Finds where events are in their topics by reading the topics' ends."""

from __future__ import annotations

from collections.abc import Container
from contextlib import closing
from typing import Any, NamedTuple

from confluent_kafka import Consumer

from relay.kafka import headers as names
from relay.kafka.offsets import Bounds
from relay.kafka.ranges import read_ranges
from relay.publish.record import Ends
from relay.schema.majors.copies import number_of

__all__ = ["Place", "find"]


class Place(NamedTuple):
    """Where a record of an event is, its key, and which copy it is (0: the original)."""

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
    """Event ids and where their records are between `starts` and `stops`, the original's last.

    consumer: from relay.kafka.clients.reader. stops: high watermarks; while another shard's open
    transaction hides what is committed after it, the reading waits for its end.
    wanted: ids to look for; None for all. most: stop once so many are found. An id that is not
    found is not there: aborted transactions are not seen. Copies come before their original; those
    without one are left out. Raises BrokerUnavailable.
    """
    if most == 0:
        return {}
    ranges = {
        (topic, partition): Bounds(starts[topic].get(partition, 0), stop)
        for topic, ends in stops.items()
        for partition, stop in ends.items()
    }
    places = _Places(wanted)
    with closing(read_ranges(consumer, ranges)) as batches:
        for messages in batches:
            for message in messages:
                places.add(message)
            if most is not None and len(places.found) >= most:
                break
    return places.found


class _Places:
    """The places of events that are looked for, each with those of its copies."""

    def __init__(self, wanted: Container[str] | None) -> None:
        self.found: dict[str, list[Place]] = {}
        self._wanted = wanted
        self._copies: dict[str, list[Place]] = {}

    def add(self, message: Any) -> None:
        headers = dict(message.headers() or ())
        original = headers.get(names.ORIGINAL_ID)
        name = original or headers.get(names.EVENT_ID)
        if name is None or (self._wanted is not None and name.decode() not in self._wanted):
            return
        event_id = name.decode()
        place = Place(
            message.topic(),
            message.partition(),
            message.offset(),
            (message.key() or b"").decode(errors="replace"),
            number_of(original, headers.get(names.EVENT_TYPE)),
        )
        if place.copy:
            self._copies.setdefault(event_id, []).append(place)
        else:
            self.found[event_id] = [*self._copies.pop(event_id, ()), place]
