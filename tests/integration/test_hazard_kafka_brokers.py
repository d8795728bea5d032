"""Hazards of brokers: one that creates topics by itself, and copies that a cluster of three has."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from relay.errors import ConfigurationInvalid
from relay.kafka.topics import create
from relay.local.kafka import LocalKafka
from relay.local.ports import HOST
from tests.relaying import Relay
from tests.stack import until


def admin_at(servers: str) -> AdminClient:
    """A client that says nothing when its broker ends before it."""
    return AdminClient({"bootstrap.servers": servers, "log_level": 0})


@pytest.fixture
def creating_broker(tmp_path: Path) -> Iterator[LocalKafka]:
    """A broker that creates a topic when somebody asks for it, as brokers do by default."""
    server = LocalKafka(
        tmp_path / "kafka",
        properties={
            "group.min.session.timeout.ms": "1000",
            "auto.create.topics.enable": "true",
            "num.partitions": "1",
        },
    )
    server.start()
    yield server
    server.kill()


class Member(LocalKafka):
    """One more broker of the cluster that `first` controls."""

    def __init__(self, folder: Path, first: LocalKafka, number: int) -> None:
        controller = f"{HOST}:{first._port('controller_port')}"
        super().__init__(
            folder,
            properties={
                **first.properties,
                "process.roles": "broker",
                "node.id": str(number),
                "controller.quorum.voters": f"1@{controller}",
            },
        )
        self._first = first
        self._number = number

    def _prepare(self) -> None:
        self.properties["listeners"] = f"PLAINTEXT://{HOST}:{self.port}"
        self.properties["advertised.listeners"] = f"PLAINTEXT://{HOST}:{self.port}"
        super()._prepare()

    def _format(self) -> None:
        of_first = (self._first.data / "meta.properties").read_text()
        cluster = next(line for line in of_first.splitlines() if line.startswith("cluster.id"))
        self.data.mkdir()
        (self.data / "meta.properties").write_text(
            f"{cluster}\nnode.id={self._number}\nversion=1\n"
        )


@pytest.fixture
def three_brokers(tmp_path: Path) -> Iterator[list[LocalKafka]]:
    """A cluster of three brokers."""
    first = LocalKafka(tmp_path / "broker-1", properties={"group.min.session.timeout.ms": "1000"})
    servers = [first]
    try:
        first.start()
        for number in (2, 3):
            servers.append(Member(tmp_path / f"broker-{number}", first, number))
            servers[-1].launch()
        for server in servers:
            server.await_ready()
        for server in servers:
            until(lambda address=server.bootstrap_servers: brokers_known_to(address) == 3)
        yield servers
    finally:
        for server in reversed(servers):
            server.kill()


def brokers_known_to(address: str) -> int:
    """How many brokers one of them knows; each learns of the others in its own time."""
    return len(admin_at(address).list_topics(timeout=10).brokers)


def test_the_relays_topics_have_three_copies_of_which_two_must_have_a_write(
    make_relay: Callable[..., Relay], three_brokers: list[LocalKafka]
) -> None:
    # Given a cluster of three brokers
    addresses = ",".join(server.bootstrap_servers for server in three_brokers)
    # When a relay is created on it
    relay = make_relay(bootstrap_servers=addresses)
    admin = admin_at(addresses)
    for topic in (relay.positions_topic, relay.topic):
        # Then each of its topics has three copies
        until(lambda name=topic: name in admin.list_topics(timeout=10).topics)
        partitions = admin.list_topics(timeout=10).topics[topic].partitions.values()
        assert {len(partition.replicas) for partition in partitions} == {3}
        # and a write needs two of them, and a copy that lacks one never leads
        resource = ConfigResource(ResourceType.TOPIC, topic)
        config = until(
            lambda asked=resource: admin.describe_configs([asked])[asked].result(),
            ignoring=(KafkaException,),
        )
        assert config["min.insync.replicas"].value == "2"
        assert config["unclean.leader.election.enable"].value == "false"
    # and doctor has nothing to warn of
    checks = json.loads(relay.must("doctor", "--json"))["checks"]
    assert ("copies", "ok") in {(check["check"], check["level"]) for check in checks}
    # and it publishes there
    relay.publish("a", 1)
    relay.must("run", "--until-idle")
    assert len(relay.published()) == 1
    # When one of the brokers is down and a topic is created
    first, *_, third = three_brokers
    third.kill()
    until(lambda: brokers_known_to(first.bootstrap_servers) == 2)
    alone = admin_at(first.bootstrap_servers)
    until(lambda: create(alone, {"late": 1}) == ["late"], ignoring=(ConfigurationInvalid,))
    # Then it has three copies as well
    (partition,) = alone.list_topics(timeout=10).topics["late"].partitions.values()
    assert len(partition.replicas) == 3


def test_a_topic_that_was_never_created_is_not_created_by_publishing(
    make_relay: Callable[..., Relay], creating_broker: LocalKafka
) -> None:
    # Given a broker that creates topics by itself, and a domain whose topic nobody has created
    relay = make_relay(bootstrap_servers=creating_broker.bootstrap_servers)
    relay.add_domain("new", "unborn")
    relay.must("schemas", "register")
    # When an event for it comes
    relay.publish("a", 1, event_type="unborn")
    with relay.running():
        until(lambda: relay.sql("select count(*) from outbox.holds") == [(1,)])
        relay.publish("b", 2)
        relay.wait_until_delivered(1)
    # Then it waits, and there is no topic
    admin = admin_at(creating_broker.bootstrap_servers)
    assert relay.topic_of("new") not in admin.list_topics(timeout=10).topics


def test_a_topic_that_was_deleted_is_not_created_by_publishing(
    make_relay: Callable[..., Relay], creating_broker: LocalKafka
) -> None:
    # Given a worker that has published to a topic, on a broker that creates topics by itself
    relay = make_relay(
        bootstrap_servers=creating_broker.bootstrap_servers, shards="1", backoff_initial_ms="50"
    )
    with relay.running():
        relay.publish("a", 1)
        relay.wait_until_delivered(1)
        # When the topic is deleted, and the next event comes
        admin = admin_at(creating_broker.bootstrap_servers)
        admin.delete_topics([relay.topic])[relay.topic].result()
        until(lambda: relay.topic not in admin.list_topics(timeout=10).topics)
        relay.publish("a", 2)
        # Then it waits for the topic, which is not created with the broker's number of partitions
        relay.wait_until_held(1)
        assert relay.topic not in admin.list_topics(timeout=10).topics
