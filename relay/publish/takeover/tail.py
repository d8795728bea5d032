"""Finds the records of events by reading the ends of their topics."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator
from contextlib import closing
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer

from relay.kafka import headers as names
from relay.kafka.offsets import Bounds, Partition, stable_bounds
from relay.kafka.ranges import read_ranges
from relay.publish.record import Ends
from relay.schema.majors.copies import number_of

__all__ = ["PublishedRecord", "are_expired", "find", "slices"]

# Events of one slice: their ids become the parameters of one statement.
_SLICE: Final = 10_000


class PublishedRecord(NamedTuple):
    """A record of an event: its offset, its key, and which copy it is (0: the original)."""

    topic: str
    partition: int
    offset: int
    key: str
    copy: int


def find(
    consumer: Consumer, starts: Ends, stops: Ends, wanted: Collection[str]
) -> dict[str, list[PublishedRecord]]:
    """Event id -> its records between `starts` and `stops`, the original last.

    consumer: from relay.kafka.clients.reader. stops: high watermarks; while another shard's open
    transaction hides what is committed after it, the reading waits for its end.
    wanted: ids to look for; the reading ends with the last of them. A missing id was not
    published: aborted transactions are not read. Copies come before their original; those without
    one are left out. Raises BrokerUnavailable.
    """
    if not wanted:
        return {}
    places = _Places(wanted)
    with closing(read_ranges(consumer, _ranges(starts, stops))) as batches:
        for messages in batches:
            for message in messages:
                places.add(message)
            if len(places.found) >= len(wanted):
                break
    return places.found


def slices(
    consumer: Consumer, starts: Ends, stops: Ends
) -> Iterator[dict[str, list[PublishedRecord]]]:
    """All events between `starts` and `stops` as `find` returns them, some thousands at a time."""
    places = _Places(None)
    with closing(read_ranges(consumer, _ranges(starts, stops))) as batches:
        for messages in batches:
            for message in messages:
                places.add(message)
            if len(places.found) >= _SLICE:
                yield places.found
                places.found = {}
    if places.found:
        yield places.found


def are_expired(consumer: Consumer, starts: Ends, stops: Ends) -> bool:
    """Whether records between `starts` and `stops` may have been deleted: a topic begins after its
    start, or has been deleted or recreated. Raises BrokerUnavailable."""
    return any(
        partition not in stops.get(topic, {})
        or start > stops[topic][partition]
        or stable_bounds(consumer, (topic, partition)).low > start
        for topic, partitions in starts.items()
        for partition, start in partitions.items()
    )


def _ranges(starts: Ends, stops: Ends) -> dict[Partition, Bounds]:
    return {
        (topic, partition): Bounds(starts[topic].get(partition, 0), stop)
        for topic, ends in stops.items()
        for partition, stop in ends.items()
    }


class _Places:
    """The records of wanted events, each with those of its copies."""

    def __init__(self, wanted: Container[str] | None) -> None:
        self.found: dict[str, list[PublishedRecord]] = {}
        self._wanted = wanted
        self._copies: dict[str, list[PublishedRecord]] = {}

    def add(self, message: Any) -> None:
        headers = dict(names.headers_of(message))
        original = headers.get(names.ORIGINAL_ID)
        name = original or headers.get(names.EVENT_ID)
        # Anybody may have written it.
        event_id = (name or b"").decode(errors="replace")
        if not event_id or (self._wanted is not None and event_id not in self._wanted):
            return
        place = PublishedRecord(
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
