"""What is pinned when a relay is created, and refused when it changes.

Another number of shards would give aggregates to shards whose positions know nothing of them, and
another number of partitions would put a key's records in two partitions at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from confluent_kafka.admin import AdminClient

from relay.errors import ConfigurationInvalid, PositionRefused
from relay.kafka import topics
from relay.postgres.identity import Identity, read_identity
from relay.postgres.sqlfile import load
from relay.settings import Settings

__all__ = ["Pinned", "check", "pin"]

_POSITIONS_CONFIG = {
    "cleanup.policy": "compact",
    "segment.bytes": str(16 * 1024 * 1024),
    "segment.ms": str(60 * 60 * 1000),
}


@dataclass(frozen=True, slots=True)
class Pinned:
    """shards: of the relay. partitions: by event topic. identity: of the database."""

    shards: int
    partitions: Mapping[str, int]
    identity: Identity


def pin(
    connection: psycopg.Connection[Any],
    admin: AdminClient,
    settings: Settings,
    partitions: Mapping[str, int],
) -> list[str]:
    """Creates the relay: its positions topic, the event topics, and the rows that pin both.

    partitions: wanted partitions by event topic; a topic that exists keeps what it has and is
    pinned so. Returns the names of the topics created. Doing it again changes nothing.
    Raises ConfigurationInvalid when another relay serves this outbox, or as `check` does.
    """
    identity = read_identity(connection)
    created = topics.create(
        admin,
        {settings.positions_topic: settings.shards},
        replication=settings.replication_factor,
        config=_POSITIONS_CONFIG,
    )
    created += topics.create(admin, partitions, replication=settings.replication_factor)
    there = topics.describe_all(admin, [settings.positions_topic, *partitions])
    with connection.transaction():
        connection.execute(
            load(__package__, "pin_relay.sql"),
            (settings.name, settings.shards, identity.system, identity.database, there.identifier),
        )
        for topic in partitions:
            connection.execute(load(__package__, "pin_topic.sql"), (topic, there.topics[topic]))
    check(connection, admin, settings, there)
    return created


def check(
    connection: psycopg.Connection[Any],
    admin: AdminClient,
    settings: Settings,
    cluster: topics.Cluster | None = None,
) -> Pinned:
    """What is pinned, once it agrees with the settings, the database and the broker.

    cluster: what the broker has; None: ask it.

    Raises ConfigurationInvalid (exit 2) for another name, number of shards or partitions, and
    PositionRefused for another database or Kafka cluster.
    """
    row = connection.execute(load(__package__, "read_relay.sql")).fetchone()
    if row is None:
        raise ConfigurationInvalid(
            f"relay {settings.name} does not exist in this database: run `relay migrate`"
        )
    name, shards, system, database, cluster_id = row
    if name != settings.name:
        raise ConfigurationInvalid(
            f"EVENT_BUS_NAME is {settings.name}, but this outbox is served by relay {name}: "
            "two relays would publish every event twice. Set the name back"
        )
    if shards != settings.shards:
        raise ConfigurationInvalid(
            f"EVENT_BUS_SHARDS is {settings.shards}, but relay {name} was created with {shards}: "
            "changing it would lose or reorder events. Set it back"
        )
    identity = read_identity(connection)
    if (system, database) != (identity.system, identity.database):
        raise PositionRefused(
            f"this is not the database that relay {name} was created on (that was system {system}, "
            f"database {database}; this is {identity}): a copy with these settings would fence the "
            "original. Point EVENT_BUS_DATABASE_URL at the original, or run `relay recover`"
        )
    cluster = cluster or topics.describe(admin)
    if cluster.identifier and cluster_id and cluster.identifier != cluster_id:
        raise PositionRefused(
            f"Kafka cluster {cluster.identifier} is not the one that relay {name} publishes to "
            f"({cluster_id}). Point EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS at that one, or run "
            "`relay recover`"
        )
    pinned = dict(connection.execute("select topic, partitions from outbox.topics").fetchall())
    for topic, count in {**pinned, settings.positions_topic: shards}.items():
        found = cluster.topics.get(topic)
        if found is not None and found != count:
            raise ConfigurationInvalid(
                f"topic {topic} has {found} partitions, but was pinned at {count}: keys would "
                "lie in two partitions at once. Have the topic created again with its old number"
            )
    _check_positions_topic(admin, settings, cluster)
    _check_sequence(connection)
    return Pinned(shards, pinned, identity)


def _check_sequence(connection: psycopg.Connection[Any]) -> None:
    row = connection.execute(load(__package__, "read_sequence.sql")).fetchone()
    if row is not None and row != (1, 1):
        raise ConfigurationInvalid(
            f"the numbers of outbox.domain_events are drawn with cache {row[0]} and increment "
            f"{row[1]}: events of an aggregate would be out of order (H4). Run `alter table "
            "outbox.domain_events alter column seq set cache 1 set increment by 1`"
        )


def _check_positions_topic(admin: AdminClient, settings: Settings, cluster: topics.Cluster) -> None:
    topic = settings.positions_topic
    if topic not in cluster.topics:
        raise ConfigurationInvalid(
            f"topic {topic} does not exist: run `relay migrate` to create it; where the relay "
            "had published before, its positions are then recovered from the database"
        )
    policy = topics.states(admin, [topic], cluster)[topic].cleanup_policy
    if policy != "compact":
        raise ConfigurationInvalid(
            f"topic {topic} has cleanup.policy={policy}, so retention would delete the relay's "
            "positions. Set cleanup.policy=compact"
        )
