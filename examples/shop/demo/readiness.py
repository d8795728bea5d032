"""Whether relay workers and consumers have taken up their work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

__all__ = ["Readiness"]


class Readiness:
    """Asks the database for shards, and Kafka for members of groups."""

    def __init__(
        self, connection: psycopg.Connection[Any], bootstrap_servers: str, groups: Sequence[str]
    ) -> None:
        self._connection = connection
        self._admin = AdminClient({"bootstrap.servers": bootstrap_servers})
        self._groups = list(groups)

    def missing(self) -> list[str]:
        """What is not there yet, in words; empty when everybody works."""
        row = self._connection.execute(
            "select (select shards from outbox.relay), "
            "(select count(*) from outbox.shards where worker is not null)"
        ).fetchone()
        wanted, taken = row or (None, 0)
        found = [] if wanted == taken else [f"{taken} of {wanted} shards have a worker"]
        return found + [f"group {name} has no member" for name in self._groups_without_members()]

    def _groups_without_members(self) -> list[str]:
        futures = self._admin.describe_consumer_groups(self._groups)
        return [name for name, future in futures.items() if not _has_member(future)]


def _has_member(future: Any) -> bool:
    try:
        members = future.result(10).members
    except KafkaException:
        # A group that nobody has joined yet is unknown.
        return False
    return any(member.assignment.topic_partitions for member in members)
