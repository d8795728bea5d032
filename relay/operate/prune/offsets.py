"""Up to which offset every consumer group of the catalog has read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from relay.kafka.offsets import Partition, committed_offsets, read_ends
from relay.kafka.topics import describe, open_admin
from relay.schema.catalog import Catalog
from relay.settings import Settings

__all__ = ["ReadByAll", "read_by_all"]

# No group reads the topic.
_EVERYTHING: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ReadByAll:
    """below: the first offset that not every group has read. group: the one that has read least."""

    below: int
    group: str | None


def read_by_all(settings: Settings, catalog: Catalog) -> dict[Partition, ReadByAll]:
    """Returns how far all groups are in every partition of the catalog's topics.

    A group that has committed nothing there has read nothing. Neither has one whose offset is
    beyond the end: it is of a former topic of the same name, and the group will read this one from
    its beginning. Topics that do not exist are left out. Raises BrokerUnavailable.
    """
    admin = open_admin(settings)
    existing = describe(admin).topics
    places = [
        (topic, partition)
        for topic in catalog.topics
        for partition in range(existing.get(topic, 0))
    ]
    readers = {
        group: [place for place in places if place[0] in topics]
        for group, topics in catalog.groups.items()
    }
    # The ends after the offsets: no group is beyond the end only because it has moved since.
    committed = committed_offsets(settings, readers)
    ends = read_ends(admin, places, undecided=True)
    found = dict.fromkeys(places, ReadByAll(_EVERYTHING, None))
    for group, its_places in readers.items():
        for place in its_places:
            offset = committed[group].get(place, 0)
            read = ReadByAll(0 if offset > ends[place] else offset, group)
            found[place] = min(found[place], read, key=lambda each: each.below)
    return found
