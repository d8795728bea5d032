"""Caches the end offsets of topics, so that a batch's records are found again quickly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping

from confluent_kafka.admin import AdminClient

from relay.kafka.offsets import read_ends
from relay.kafka.topics import TopicState
from relay.publish.producer import Published
from relay.publish.record import Ends

__all__ = ["TopicEnds"]

# How long an end offset counts: other shards write to the same partitions.
_FRESH_SECONDS = 10.0


class TopicEnds:
    """Offsets at or below each partition's end. Safe for several threads."""

    def __init__(
        self, admin: AdminClient, topic_states: Callable[[], Mapping[str, TopicState]]
    ) -> None:
        self._admin = admin
        self._topic_states = topic_states
        self._lock = threading.Lock()
        self._ends: Ends = {}
        self._asked_at: dict[str, float] = {}

    def of(self, topics: Iterable[str]) -> Ends:
        """The ends of topics as they were some ten seconds ago; raises BrokerUnavailable.

        One shard asks for all that is stale, and the others go on with what was known.
        """
        wanted, now = list(topics), time.monotonic()
        with self._lock:
            stale = [
                topic
                for topic in wanted
                if now - self._asked_at.get(topic, float("-inf")) > _FRESH_SECONDS
            ]
            self._asked_at.update(dict.fromkeys(self._ends.keys() & set(stale), now))
        if stale:
            found = self._ask(stale)
            with self._lock:
                self._ends.update(found)
                self._asked_at.update(dict.fromkeys(found, now))
        with self._lock:
            return {topic: dict(self._ends[topic]) for topic in wanted}

    def now(self, topics: Iterable[str]) -> Ends:
        """High watermarks of those topics that exist; raises BrokerUnavailable."""
        states = self._topic_states()
        return self._read(states.keys() & set(topics), states)

    def moved(self, published: Published) -> None:
        """Records were written: the partitions end after them or later."""
        with self._lock:
            for (topic, partition, _), lane in published.items():
                if lane.offsets:
                    self._ends[topic][partition] = lane.offsets[-1] + 1

    def _ask(self, topics: Collection[str]) -> Ends:
        """The ends of topics now; none of one that does not exist."""
        return {**{topic: {} for topic in topics}, **self._read(topics, self._topic_states())}

    def _read(self, topics: Collection[str], states: Mapping[str, TopicState]) -> Ends:
        places = [
            (topic, partition)
            for topic in topics
            if topic in states
            for partition in range(states[topic].partitions)
        ]
        ends: Ends = {topic: {} for topic, _ in places}
        for (topic, partition), end in read_ends(self._admin, places, undecided=True).items():
            ends[topic][partition] = end
        return ends
