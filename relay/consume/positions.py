"""A group's progress, in the database of its effects (H40).

Kafka's offsets alone would not do: where the database goes back in time, as with a standby that
lagged behind, a restore, or a crash with synchronous_commit=off, the effects of the last events are
gone while their offsets stay. A position is written after the effects that it follows, in the same
write-ahead log, so a position that is there has all of its effects before it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from confluent_kafka import OFFSET_BEGINNING
from confluent_kafka.admin import AdminClient

from relay.consume.failures import ServerChanged, SubscriptionsChanged
from relay.kafka.offsets import Partition
from relay.kafka.topics import identifiers
from relay.postgres.sqlfile import load

__all__ = ["Positions", "Progress", "first_offset", "place_name"]


@dataclass(frozen=True, slots=True)
class Progress:
    """offsets: the next to read, or confluent_kafka's for the beginning. server: the running one
    that knows them, see inbox.server() in schema.sql. subscribed: event types that some member of
    the group handles."""

    server: str
    subscribed: Sequence[str]
    offsets: Mapping[Partition, int]


def first_offset(position: int | None, committed: int | None) -> int:
    """The offset to read first: the lower one of the database's position and Kafka's offset.

    Without a position the database has no effect either, or all of them are found settled: the
    partition is read from its beginning, whatever Kafka says.
    """
    if position is None:
        return OFFSET_BEGINNING
    return position if committed is None else min(position, committed)


class Positions:
    """Belongs to the thread that reads from Kafka."""

    def __init__(self, group: str, admin: AdminClient) -> None:
        self._group = group
        self._admin = admin
        self._topic_ids: dict[str, str] = {}

    def forget_topics(self) -> None:
        """A topic was recreated: its former positions mean nothing."""
        self._topic_ids.clear()

    def know_topics(self, names: Iterable[str]) -> None:
        """Looks up the ids of topics that are not known yet. Raises BrokerUnavailable."""
        missing = set(names) - self._topic_ids.keys()
        if missing:
            found = identifiers(self._admin, missing)
            self._topic_ids |= {name: identifier for name, (identifier, _) in found.items()}

    def read(self, connection: psycopg.Connection[Any], places: Collection[Partition]) -> Progress:
        """What the database knows: of partitions that have a position, and of topics that are
        known. Raises psycopg.Error."""
        rows = connection.execute(
            load(__package__, "read_positions.sql"),
            {"group": self._group, "places": [place_name(place) for place in places]},
        ).fetchall()
        found = {name: position for *_, name, position in rows if name is not None}
        return Progress(
            rows[0][0],
            rows[0][1],
            {
                place: int(position["offset"])
                for place in places
                if (position := found.get(place_name(place))) is not None
                and position["topic_id"] == self._topic_ids.get(place[0])
            },
        )

    def write(
        self,
        connection: psycopg.Connection[Any],
        offsets: Mapping[Partition, int],
        known: Progress,
    ) -> None:
        """Writes the next offsets, of topics that are known, and waits until they are on disk.

        known: what they follow. Writes nothing and raises ServerChanged where this is not its
        server, SubscriptionsChanged where the group has other subscriptions now; psycopg.Error.
        """
        if not offsets:
            if self.read(connection, ()).server != known.server:
                raise ServerChanged
            return
        order = sorted(offsets)
        with connection.transaction():
            connection.execute("set local synchronous_commit = on")
            row = connection.execute(
                load(__package__, "write_positions.sql"),
                {
                    "group": self._group,
                    "places": [place_name(place) for place in order],
                    "topic_ids": [self._topic_ids.get(topic) for topic, _ in order],
                    "offsets": [offsets[place] for place in order],
                    "server": known.server,
                    "subscribed": list(known.subscribed),
                },
            ).fetchone()
        assert row is not None
        if row[0] != known.server:
            raise ServerChanged
        if row[1] != list(known.subscribed):
            raise SubscriptionsChanged


def place_name(place: Partition) -> str:
    """The name of a partition in the tables of the inbox."""
    topic, number = place
    return f"{topic}[{number}]"
