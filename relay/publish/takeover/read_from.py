"""From where a take-over has to read each topic: noted while a shard publishes.

All records of a shard that have no flag yet lie at or above the ends that were seen before its last
flagged transaction began; so do all that can still be undone, since last stable offsets are noted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from confluent_kafka.admin import AdminClient

from relay.errors import BrokerUnavailable
from relay.kafka import topics
from relay.kafka.offsets import LeaderEnd, Partition, read_ends, read_leader_ends
from relay.publish.record import Ends

__all__ = ["EndsSeen", "Noted", "TopicEnd", "is_settled", "observe", "starts"]

log = logging.getLogger(__name__)

# topic -> {"id": ..., "offsets": {partition: offset}, "epochs": {partition: epoch}}, as JSON
Noted: TypeAlias = dict[str, dict[str, Any]]

_INTERVAL_S: Final = 10.0
# While partitions are not settled, as after each change of a leader.
_SHORT_INTERVAL_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class TopicEnd:
    """identifier: differs when the topic has been recreated. ends: by partition."""

    identifier: str
    ends: Mapping[int, int]


def observe(admin: AdminClient, names: Iterable[str]) -> dict[str, TopicEnd]:
    """Reads the high watermarks of those topics that exist. Raises BrokerUnavailable."""
    # The identifiers first: a topic that is recreated in between has the former one, and is read
    # from its beginning.
    described = topics.identifiers(admin, names)
    places = [
        (name, partition)
        for name, (_, partitions) in described.items()
        for partition in range(partitions)
    ]
    ends = read_ends(admin, places, undecided=True)
    return {
        name: TopicEnd(
            identifier, {partition: ends[name, partition] for partition in range(partitions)}
        )
        for name, (identifier, partitions) in described.items()
    }


def starts(noted: Noted | None, found: Mapping[str, TopicEnd]) -> Ends:
    """Where to begin to read: the beginning of a topic of which nothing is noted, or that has been
    recreated since (H54)."""
    begin: Ends = {}
    for name, topic in found.items():
        known = (noted or {}).get(name, {})
        offsets = known["offsets"] if known.get("id") == topic.identifier else {}
        begin[name] = {}
        for partition, end in topic.ends.items():
            start = offsets.get(str(partition), 0)
            begin[name][partition] = start if start <= end else 0
    return begin


def is_settled(noted: Noted, name: str, identifier: str, partition: int, epoch: int) -> bool:
    """Whether nothing can have been undone in a partition since it was noted.

    A marker is lost only where the partition has no leader for a moment, and gets a new epoch.
    epoch: of its leader now.
    """
    known = noted.get(name, {})
    return known.get("id") == identifier and known.get("epochs", {}).get(str(partition)) == epoch


class EndsSeen:
    """The last stable offsets of all event topics as they were some seconds ago. Safe for several
    threads."""

    def __init__(self, admin: AdminClient, names: Callable[[], Iterable[str]]) -> None:
        """names: of the event topics."""
        self._admin = admin
        self._names = names
        self._ask_at = float("-inf")
        self._latest: Noted | None = None
        # The leaders' epochs, each with the end that was seen first under it.
        self._began: dict[Partition, LeaderEnd] = {}

    @property
    def latest(self) -> Noted | None:
        """What was seen last; None before anything was."""
        return self._latest

    def refresh(self) -> None:
        """Asks again, every ten seconds, or every second until all is settled; keeps what it has
        while the broker is unavailable. Raises nothing that `names` does not raise."""
        if (now := time.monotonic()) < self._ask_at:
            return
        self._ask_at = now + _INTERVAL_S
        try:
            # The identifiers first, as in `observe`.
            described = topics.identifiers(self._admin, self._names())
            places = [(name, n) for name, (_, count) in described.items() for n in range(count)]
            high = read_leader_ends(self._admin, places, undecided=True)
            stable = read_leader_ends(self._admin, places)
        except BrokerUnavailable as error:
            log.debug("the ends of topics are not known: %s", error)
            return
        noted: Noted = {
            name: {"id": identifier, "offsets": {}, "epochs": {}}
            for name, (identifier, _) in described.items()
        }
        for (name, partition), end in stable.items():
            noted[name]["offsets"][str(partition)] = end.offset
            began = self._began.get((name, partition))
            if began is None or began.epoch != high[name, partition].epoch:
                began = self._began[name, partition] = high[name, partition]
            if end.epoch == began.epoch >= 0 and end.offset >= began.offset:
                noted[name]["epochs"][str(partition)] = end.epoch
            else:
                self._ask_at = now + _SHORT_INTERVAL_S
        self._latest = noted
