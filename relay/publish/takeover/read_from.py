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
from relay.kafka.offsets import read_ends
from relay.publish.record import Ends

__all__ = ["EndsSeen", "Noted", "TopicEnd", "observe", "starts"]

log = logging.getLogger(__name__)

# topic -> {"id": ..., "offsets": {partition: offset}}, as JSON
Noted: TypeAlias = dict[str, dict[str, Any]]

_INTERVAL_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class TopicEnd:
    """identifier: differs when the topic has been recreated. ends: by partition."""

    identifier: str
    ends: Mapping[int, int]

    def to_json(self) -> dict[str, Any]:
        """The form in the database."""
        return {
            "id": self.identifier,
            "offsets": {str(partition): end for partition, end in self.ends.items()},
        }


def observe(
    admin: AdminClient, names: Iterable[str], *, undecided: bool = True
) -> dict[str, TopicEnd]:
    """Reads the ends of those topics that exist: high watermarks, or last stable offsets where
    nothing `undecided` counts. Raises BrokerUnavailable."""
    # The identifiers first: a topic that is recreated in between has the former one, and is read
    # from its beginning.
    described = topics.identifiers(admin, names)
    places = [
        (name, partition)
        for name, (_, partitions) in described.items()
        for partition in range(partitions)
    ]
    ends = read_ends(admin, places, undecided=undecided) if places else {}
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


class EndsSeen:
    """The last stable offsets of all event topics as they were some seconds ago. Safe for several
    threads."""

    def __init__(self, admin: AdminClient, names: Callable[[], Iterable[str]]) -> None:
        """names: of the event topics."""
        self._admin = admin
        self._names = names
        self._asked_at = float("-inf")
        self._latest: Noted | None = None

    @property
    def latest(self) -> Noted | None:
        """What was seen last; None before anything was."""
        return self._latest

    def refresh(self) -> None:
        """Asks anew, every ten seconds; keeps what it has while the broker is unavailable. Raises
        nothing that `names` does not raise."""
        if time.monotonic() - self._asked_at < _INTERVAL_S:
            return
        self._asked_at = time.monotonic()
        try:
            found = observe(self._admin, self._names(), undecided=False)
        except BrokerUnavailable as error:
            log.debug("the ends of topics are not known: %s", error)
        else:
            self._latest = {name: topic.to_json() for name, topic in found.items()}
