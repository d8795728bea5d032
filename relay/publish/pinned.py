"""What is pinned when a relay is created, and refused when it changes.

Another number of shards would give aggregates to shards whose positions know nothing of them, and
another number of partitions would put a key's records in two partitions at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from confluent_kafka.admin import AdminClient

from relay.errors import ConfigurationInvalid, PositionRefused
from relay.kafka import topics
from relay.kafka.bounds import check_timeouts
from relay.postgres.identity import Identity, read_identity
from relay.postgres.sqlfile import load
from relay.settings import Settings

__all__ = ["Pinned", "check", "pin", "positions_problems"]

_POSITIONS_CONFIG = {
    "cleanup.policy": "compact",
    "segment.bytes": str(16 * 1024 * 1024),
    "segment.ms": str(60 * 60 * 1000),
}


@dataclass(frozen=True, slots=True)
class Pinned:
    """shards: of the relay. partitions: by event topic. identity: of the database. warnings: what
    a person should look at, in sentences."""

    shards: int
    partitions: Mapping[str, int]
    identity: Identity
    warnings: Sequence[str]


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

    Raises ConfigurationInvalid (exit 2) for another name, number of shards or fewer partitions, and
    for timeouts that the brokers refuse; PositionRefused for another database or Kafka cluster.
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
    warnings = list(_compare_partitions(cluster, pinned, settings.positions_topic, shards))
    _check_positions_topic(cluster, settings)
    policy, *others = positions_problems(admin, settings, cluster)
    if policy:
        raise ConfigurationInvalid(policy)
    check_timeouts(admin, cluster, settings, transactions=settings.delivery == "exactly-once")
    _check_sequence(connection)
    return Pinned(shards, pinned, identity, [*warnings, *others])


def _compare_partitions(
    cluster: topics.Cluster, pinned: Mapping[str, int], positions_topic: str, shards: int
) -> Iterator[str]:
    """Yields a warning for each topic that has grown: the relay uses the pinned partitions only.

    Raises ConfigurationInvalid for fewer partitions than pinned: keys would lie in two at once.
    """
    for topic, count in {**pinned, positions_topic: shards}.items():
        found = cluster.topics.get(topic, count)
        if found < count or (found > count and topic == positions_topic):
            raise ConfigurationInvalid(
                f"topic {topic} has {found} partitions, but was pinned at {count}: keys would "
                "lie in two partitions at once. Have the topic created again with its old number"
            )
        if found > count:
            yield (
                f"topic {topic} has {found} partitions and was pinned at {count}: the relay goes "
                f"on with the first {count}, so that every key stays where it is. Other producers "
                "must do so, too"
            )


def _check_sequence(connection: psycopg.Connection[Any]) -> None:
    row = connection.execute(load(__package__, "read_sequence.sql")).fetchone()
    if row is not None and row != (1, 1):
        raise ConfigurationInvalid(
            f"the numbers of outbox.domain_events are drawn with cache {row[0]} and increment "
            f"{row[1]}: events of an aggregate would be out of order (H4). Run `alter table "
            "outbox.domain_events alter column seq set cache 1 set increment by 1`"
        )


def _check_positions_topic(cluster: topics.Cluster, settings: Settings) -> None:
    topic = settings.positions_topic
    if topic not in cluster.topics:
        raise ConfigurationInvalid(
            f"topic {topic} does not exist: run `relay migrate` to create it; where the relay "
            "had published before, its positions are then recovered from the database"
        )


def positions_problems(
    admin: AdminClient, settings: Settings, cluster: topics.Cluster
) -> tuple[str, ...]:
    """Returns what could lose the relay's positions (H12), in sentences.

    The first is empty unless retention deletes them; the others tell of too few copies. Empty
    where the topic does not exist. Raises BrokerUnavailable.
    """
    topic = settings.positions_topic
    if (state := topics.states(admin, [topic], cluster).get(topic)) is None:
        return ("",)
    policy = ""
    if state.cleanup_policy != "compact":
        policy = (
            f"topic {topic} has cleanup.policy={state.cleanup_policy}, so retention would delete "
            "the relay's positions. Set cleanup.policy=compact"
        )
    copies, wanted = cluster.copies[topic], settings.replication_factor or cluster.usual_copies
    if copies < wanted:
        return policy, (
            f"topic {topic} has {copies} of {wanted} copies, so the relay's positions may be lost "
            "with a broker. Add copies with kafka-reassign-partitions, and look at the event "
            "topics, too"
        )
    if copies >= 3 and state.min_insync < 2:
        return policy, (
            f"topic {topic} has min.insync.replicas={state.min_insync}, so a position may be lost "
            "with a broker. Set min.insync.replicas=2"
        )
    return (policy,)
