"""Topics as the brokers have them, and creating them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from relay.errors import BrokerUnavailable, ConfigurationInvalid
from relay.kafka.errors import reason
from relay.kafka.options import client_options
from relay.settings import Settings

__all__ = [
    "Cluster",
    "TopicState",
    "create",
    "describe",
    "describe_all",
    "open_admin",
    "require_topics",
    "states",
]

_TIMEOUT = 10.0
_PAUSE = 0.02
_EXISTS_ALREADY = "TOPIC_ALREADY_EXISTS"


@dataclass(frozen=True, slots=True)
class TopicState:
    """partitions: how many. max_message_bytes: largest batch that the broker takes."""

    partitions: int
    max_message_bytes: int
    cleanup_policy: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """identifier: the Kafka cluster's id. brokers: how many are up. topics: names -> partitions."""

    identifier: str
    brokers: int
    topics: Mapping[str, int]


def open_admin(settings: Settings) -> AdminClient:
    """An admin client; raises ConfigurationInvalid when librdkafka refuses an option."""
    try:
        return AdminClient(client_options(settings))
    except KafkaException as error:
        raise ConfigurationInvalid(
            f"EVENT_BUS_KAFKA_OPTIONS or EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS is refused by "
            f"librdkafka: {reason(error)}. Correct the option"
        ) from error


def describe(client: AdminClient | Consumer | Producer, timeout: float = _TIMEOUT) -> Cluster:
    """What the cluster has; raises BrokerUnavailable."""
    try:
        metadata = client.list_topics(timeout=timeout)
    except KafkaException as error:
        raise BrokerUnavailable(
            f"Kafka can't be reached at EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS: "
            f"{reason(error)}. Check the address, TLS and SASL options, and that it runs."
        ) from error
    topics = {
        name: len(topic.partitions)
        for name, topic in metadata.topics.items()
        if topic.error is None
    }
    return Cluster(metadata.cluster_id or "", len(metadata.brokers), topics)


def require_topics(client: Consumer | Producer, names: Iterable[str]) -> None:
    """Raises ConfigurationInvalid, which names the topics that are missing; BrokerUnavailable."""
    if missing := sorted(set(names) - describe(client).topics.keys()):
        raise ConfigurationInvalid(
            f"topics are missing: {', '.join(missing)}. Run relay migrate, which creates them "
            "(a group's own topics need the group among the consumers in its domain.yaml)"
        )


def states(admin: AdminClient, topics: Iterable[str], cluster: Cluster) -> dict[str, TopicState]:
    """Each existing topic's state; missing ones are left out. Raises BrokerUnavailable."""
    existing = [topic for topic in topics if topic in cluster.topics]
    if not existing:
        return {}
    resources = {topic: ConfigResource(ResourceType.TOPIC, topic) for topic in existing}
    futures = admin.describe_configs(list(resources.values()), request_timeout=_TIMEOUT)
    found = {}
    for topic, resource in resources.items():
        try:
            config = futures[resource].result()
        except KafkaException as error:
            raise BrokerUnavailable(
                f"the configuration of topic {topic} can't be read: {reason(error)}. "
                "Check that Kafka runs and that the relay may DescribeConfigs."
            ) from error
        found[topic] = TopicState(
            cluster.topics[topic],
            int(config["max.message.bytes"].value),
            config["cleanup.policy"].value,
        )
    return found


def create(
    admin: AdminClient,
    topics: Mapping[str, int],
    *,
    replication: int | None = None,
    config: Mapping[str, str] | None = None,
) -> list[str]:
    """Creates those of `topics` (name -> partitions) that are missing; the names of the created.

    replication: copies of each partition; by default 3, or the number of brokers where there are
    fewer. With three or more copies a write needs two of them (min.insync.replicas).
    Raises BrokerUnavailable, ConfigurationInvalid.
    """
    cluster = describe(admin)
    missing = {name: count for name, count in topics.items() if name not in cluster.topics}
    if not missing:
        return []
    copies = replication or min(3, cluster.brokers)
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
    """What the cluster has, once the broker that answers knows all of `names`.

    A topic's creation is over before every broker has heard of it. Raises BrokerUnavailable.
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
