"""Finds consumer groups that have read on in Kafka, while their database went back in time (H40).

A restored database lacks the inbox rows and effects that were written after its dump. The groups'
offsets in Kafka did not go back with it, so nobody reads those events again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from relay.kafka.offsets import committed_offsets
from relay.kafka.topics import describe, open_admin
from relay.postgres.sqlfile import load
from relay.schema.catalog import Catalog
from relay.settings import Settings

__all__ = ["LostEffects", "find_lost_effects"]


@dataclass(frozen=True, slots=True)
class LostEffects:
    """events: of the outbox that the group's inbox has no trace of, and that the group's offsets
    have passed, or may have passed. topics: where to set its offsets back."""

    group: str
    events: int
    topics: Sequence[str]

    def words(self, bootstrap_servers: str) -> str:
        """What happened and what to run, in sentences."""
        topics = " ".join(f"--topic {topic}" for topic in self.topics)
        return (
            f"consumer group {self.group} may have passed {self.events} events in Kafka whose "
            "effects this database does not have. Stop the group and set its offsets back; events "
            "that its inbox knows are not handled again: kafka-consumer-groups.sh "
            f"--bootstrap-server {bootstrap_servers} --group {self.group} {topics} "
            "--reset-offsets --to-earliest --execute"
        )


def find_lost_effects(
    connection: psycopg.Connection[Any], settings: Settings, catalog: Catalog
) -> list[LostEffects]:
    """Looks at the groups whose inbox is in this database; reads the whole outbox.

    Raises BrokerUnavailable, psycopg.Error.
    """
    known = {name for (name,) in connection.execute(load(__package__, "list_inboxes.sql"))}
    groups = {name: topics for name, topics in catalog.groups.items() if name in known}
    partitions = describe(open_admin(settings)).topics
    committed = committed_offsets(
        settings,
        {
            name: [(topic, n) for topic in topics for n in range(partitions.get(topic, 0))]
            for name, topics in groups.items()
        },
    )
    found = []
    for name, topics in groups.items():
        passed = [(*place, offset) for place, offset in committed[name].items() if offset > 0]
        if not passed:
            continue
        row = connection.execute(
            load(__package__, "count_lost_effects.sql"),
            {
                "group": name,
                "types": sorted({each for types in topics.values() for each in types}),
                "topics": [topic for topic, _, _ in passed],
                "partitions": [partition for _, partition, _ in passed],
                "offsets": [offset for _, _, offset in passed],
            },
        ).fetchone()
        if row is not None and row[0]:
            found.append(LostEffects(name, row[0], sorted({topic for topic, _, _ in passed})))
    return found
