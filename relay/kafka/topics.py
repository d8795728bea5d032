"""Describes and creates topics."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (
    AclOperation,
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from relay.errors import BrokerUnavailable, ConfigurationInvalid
from relay.kafka.admin import Admin
from relay.kafka.errors import broker_call, option_errors, reason
from relay.kafka.options import client_options
from relay.settings import Settings
from relay.unavailable import is_kafka_outage

__all__ = [
    "Cluster",
    "TopicState",
    "create",
    "describe",
    "describe_all",
    "identifiers",
    "longest_stay",
    "open_admin",
    "require_topics",
    "states",
    "writable",
]

_TIMEOUT = 10.0
_PAUSE = 0.02
# A thousand years: such settings, up to the largest integer, mean forever.
_FOREVER_MS = 1_000 * 366 * 24 * 60 * 60 * 1_000
_EXISTS_ALREADY = "TOPIC_ALREADY_EXISTS"


@dataclass(frozen=True, slots=True)
class TopicState:
    """partitions: how many. max_message_bytes: largest batch that the broker takes.
    min_insync: copies that a write needs. may_write: this client has the right to."""

    partitions: int
    max_message_bytes: int
    cleanup_policy: str
    min_insync: int = 1
    may_write: bool = True


@dataclass(frozen=True, slots=True)
class Cluster:
    """identifier: the Kafka cluster's id. brokers: how many are up. topics: names -> partitions.

    known_brokers: how many are up or hold a copy of some topic. copies: of each topic, in the
    partition that has the fewest. answered_by: a broker that is up.
    """

    identifier: str
    brokers: int
    topics: Mapping[str, int]
    known_brokers: int
    copies: Mapping[str, int]
    answered_by: int

    @property
    def usual_copies(self) -> int:
        """How many copies a topic of the relay has by default."""
        return min(3, self.known_brokers)


def open_admin(settings: Settings) -> AdminClient:
    """An admin client; raises ConfigurationInvalid when librdkafka refuses an option."""
    with option_errors():
        return Admin(client_options(settings))


def describe(admin: AdminClient, timeout: float = _TIMEOUT) -> Cluster:
    """Reads the cluster's brokers and topics; raises BrokerUnavailable, BrokerRefused."""
    with broker_call("Kafka can't be reached at EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"):
        try:
            metadata = admin.list_topics(timeout=timeout)
        except KafkaException as error:
            if isinstance(admin, Admin):
                raise admin.why_unreachable(reason(error)) from error
            raise
    found = {name: topic for name, topic in metadata.topics.items() if topic.error is None}
    holders = {
        broker
        for topic in found.values()
        for partition in topic.partitions.values()
        for broker in partition.replicas
    }
    return Cluster(
        identifier=metadata.cluster_id or "",
        brokers=len(metadata.brokers),
        topics={name: len(topic.partitions) for name, topic in found.items()},
        known_brokers=len(holders | metadata.brokers.keys()),
        copies={
            name: min(len(partition.replicas) for partition in topic.partitions.values())
            for name, topic in found.items()
            if topic.partitions
        },
        answered_by=min(metadata.brokers, default=0),
    )


def require_topics(cluster: Cluster, names: Iterable[str]) -> None:
    """Raises ConfigurationInvalid for missing topics."""
    if missing := sorted(set(names) - cluster.topics.keys()):
        raise ConfigurationInvalid(
            f"topics are missing: {', '.join(missing)}. Run relay migrate, which creates them "
            "(a group's own topics need the group among the consumers in its domain.yaml)"
        )


def states(admin: AdminClient, topics: Iterable[str], cluster: Cluster) -> dict[str, TopicState]:
    """Returns the state of each existing topic. Raises BrokerUnavailable."""
    existing = [topic for topic in topics if topic in cluster.topics]
    return {
        topic: TopicState(
            cluster.topics[topic],
            int(config["max.message.bytes"].value),
            config["cleanup.policy"].value,
            int(config["min.insync.replicas"].value),
        )
        for topic, config in _configs(admin, existing).items()
    }


def longest_stay(admin: AdminClient, existing: Iterable[str]) -> dict[str, timedelta | None]:
    """Returns how long a record may stay in each topic; None: forever. Raises BrokerUnavailable.

    A segment is deleted when its last record is too old, and it takes records for segment.ms.
    """
    found: dict[str, timedelta | None] = {}
    for topic, config in _configs(admin, existing).items():
        retention, segment = (int(config[name].value) for name in ("retention.ms", "segment.ms"))
        is_deleted = retention >= 0 and config["cleanup.policy"].value == "delete"
        longest = retention + segment
        found[topic] = (
            timedelta(milliseconds=longest) if is_deleted and longest < _FOREVER_MS else None
        )
    return found


def _configs(admin: AdminClient, existing: Iterable[str]) -> dict[str, Any]:
    resources = {topic: ConfigResource(ResourceType.TOPIC, topic) for topic in existing}
    if not resources:
        return {}
    futures = admin.describe_configs(list(resources.values()), request_timeout=_TIMEOUT)
    found = {}
    for topic, resource in resources.items():
        with broker_call(
            f"the configuration of topic {topic} can't be read",
            "Check that Kafka runs and that the relay may DescribeConfigs.",
        ):
            found[topic] = futures[resource].result()
    return found


def identifiers(admin: AdminClient, names: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Returns topic -> its identifier and number of partitions, for those that exist.

    A recreated topic has another identifier (KIP-516). Raises BrokerUnavailable.
    """
    wanted = list(names)
    if not wanted:
        return {}
    found = {}
    futures = admin.describe_topics(TopicCollection(wanted), request_timeout=_TIMEOUT)
    for name, future in futures.items():
        with broker_call(
            f"topic {name} can't be described",
            "Check that Kafka runs and that the relay may Describe.",
        ):
            try:
                topic = future.result()
            except KafkaException as error:
                if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    continue
                raise
        found[name] = str(topic.topic_id), len(topic.partitions)
    return found


def writable(admin: AdminClient, names: Iterable[str]) -> frozenset[str]:
    """Returns those of the topics that this client may write to. Raises BrokerUnavailable."""
    if not (wanted := list(names)):
        return frozenset()
    futures = admin.describe_topics(
        TopicCollection(wanted), include_authorized_operations=True, request_timeout=_TIMEOUT
    )
    found = set()
    for name, future in futures.items():
        try:
            operations = future.result().authorized_operations
        except KafkaException as error:
            if is_kafka_outage(error.args[0]):
                raise BrokerUnavailable(f"topic {name} can't be described: {error}") from error
            continue  # It is gone, or may not be described either.
        # None: from brokers that are too old to tell.
        if operations is None or AclOperation.WRITE in operations:
            found.add(name)
    return frozenset(found)


def create(
    admin: AdminClient,
    topics: Mapping[str, int],
    *,
    replication: int | None = None,
    config: Mapping[str, str] | None = None,
) -> list[str]:
    """Creates the missing ones of `topics` (name -> partitions) and returns their names.

    replication: copies of each partition; by default 3, or the number of brokers where there are
    fewer, those that are down included. With three or more copies a write needs two of them
    (min.insync.replicas).
    Raises BrokerUnavailable, ConfigurationInvalid.
    """
    cluster = describe(admin)
    missing = {name: count for name, count in topics.items() if name not in cluster.topics}
    if not missing:
        return []
    copies = replication or cluster.usual_copies
    settings = {"unclean.leader.election.enable": "false", **(config or {})}
    if copies >= 3:
        settings.setdefault("min.insync.replicas", "2")
    futures = admin.create_topics(
        [
            NewTopic(name, num_partitions=count, replication_factor=copies, config=settings)
            for name, count in missing.items()
        ],
        operation_timeout=30,
    )
    for name, future in futures.items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].name() == _EXISTS_ALREADY:
                continue
            raise ConfigurationInvalid(
                f"topic {name} can't be created: {reason(error)}. "
                "Create it by hand or give the relay the right to, then run `relay migrate` again."
            ) from error
    describe_all(admin, missing)
    return sorted(missing)


def describe_all(admin: AdminClient, names: Iterable[str]) -> Cluster:
    """Waits until the answering broker knows all of `names`, then describes the cluster.

    A topic is created before every broker knows it. Raises BrokerUnavailable.
    """
    deadline = time.monotonic() + _TIMEOUT
    while missing := set(names) - (cluster := describe(admin)).topics.keys():
        if time.monotonic() > deadline:
            raise BrokerUnavailable(
                f"topics {', '.join(sorted(missing))} were created but do not appear. "
                "Look at the brokers' logs, then run `relay migrate` again"
            )
        time.sleep(_PAUSE)
    return cluster
