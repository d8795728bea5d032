"""Remembers how far topics reach, so that a batch's records are found again quickly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping

from confluent_kafka.admin import AdminClient

from relay.kafka.offsets import read_ends
from relay.kafka.topics import TopicState
from relay.publish.producer import Published
from relay.publish.record import Ends

__all__ = ["TopicEnds"]

# A quiet shard's own last record says little about where a topic ends by now.
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
        """The ends of topics as they were at most ten seconds ago; raises BrokerUnavailable."""
        with self._lock:
            now = time.monotonic()
            for topic in topics:
                if now - self._asked_at.get(topic, float("-inf")) > _FRESH_SECONDS:
                    self._ends[topic] = self._ask(topic)
                    self._asked_at[topic] = now
            return {topic: dict(self._ends[topic]) for topic in topics}

    def now(self, topics: Iterable[str] | None) -> Ends:
        """High watermarks of those topics, or of all, that exist; raises BrokerUnavailable."""
        names = self._topic_states().keys()
        return {
            name: self._ask(name) for name in (names if topics is None else names & set(topics))
        }

    def moved(self, published: Published) -> None:
        """Records were written: the partitions end after them or later."""
        with self._lock:
            for (topic, partition, _), lane in published.items():
                if lane.offsets:
                    self._ends[topic][partition] = lane.offsets[-1] + 1

    def _ask(self, topic: str) -> dict[int, int]:
        state = self._topic_states().get(topic)
        if state is None:
            return {}
        places = [(topic, partition) for partition in range(state.partitions)]
        ends = read_ends(self._admin, places, undecided=True)
        return {partition: end for (_, partition), end in ends.items()}
