"""How far consumer groups are behind: records they have still to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from confluent_kafka.admin import AdminClient

from relay.kafka.bounds import Bounds, Partition, read_bounds
from relay.kafka.committed import committed_offsets
from relay.operate.scan import scan
from relay.publish.takeover.positions import reader
from relay.settings import Settings

__all__ = ["group_lags"]

# Where no more offsets than this are left, the records among them are counted: the rest are the
# markers of transactions, of which one stands at the end of a topic that is fully read.
_COUNTED = 500


def group_lags(
    settings: Settings, admin: AdminClient, groups: Mapping[str, Iterable[str]]
) -> dict[str, int]:
    """Group -> records of its topics that it has still to read.

    groups: topics by group. Exact for partitions with a short way to go; for others offsets are
    counted, the markers of transactions among them. Raises BrokerUnavailable.
    """
    bounds = read_bounds(admin, sorted({topic for topics in groups.values() for topic in topics}))
    wanted = {
        group: [place for place in bounds if place[0] in set(topics)]
        for group, topics in groups.items()
    }
    committed = committed_offsets(admin, wanted)
    starts = {
        group: {place: max(committed[group].get(place, 0), bounds[place].low) for place in places}
        for group, places in wanted.items()
    }
    near: dict[Partition, Bounds] = {}
    for places in starts.values():
        for place, start in places.items():
            end = bounds[place].end
            if 0 < end - start <= _COUNTED:
                near[place] = Bounds(min(start, near.get(place, Bounds(start, end)).low), end)
    offsets = _offsets(settings, near)
    return {
        group: sum(
            sum(offset >= start for offset in offsets[place])
            if place in near and bounds[place].end - start <= _COUNTED
            else max(0, bounds[place].end - start)
            for place, start in places.items()
        )
        for group, places in starts.items()
    }


def _offsets(settings: Settings, near: Mapping[Partition, Bounds]) -> dict[Partition, list[int]]:
    """Offsets of the records within bounds."""
    found: dict[Partition, list[int]] = {place: [] for place in near}
    if near:
        consumer = reader(settings)
        try:
            for records in scan(consumer, near):
                for record in records:
                    found[record.topic, record.partition].append(record.offset)
        finally:
            consumer.close()
    return found
