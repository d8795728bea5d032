"""A broker that authenticates and authorizes: the cause of a refusal is named, and held apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from relay.errors import BrokerRefused, BrokerUnavailable
from relay.kafka import topics
from relay.kafka.topics import describe, open_admin
from relay.local.kafka import LocalKafka
from relay.local.ports import HOST, free_port
from relay.settings import load_settings
from tests.relaying import Relay
from tests.stack import until

LOGIN = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    'username="relay" password="right" user_relay="right";'
)
SASL = {
    "security.protocol": "sasl_plaintext",
    "sasl.mechanism": "PLAIN",
    "sasl.username": "relay",
    "sasl.password": "right",
}


class GuardedKafka(LocalKafka):
    """A broker with a second listener that asks for a password, and with access control."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._guarded = free_port()

    @property
    def guarded_servers(self) -> str:
        return f"{HOST}:{self._guarded}"

    def _prepare(self) -> None:
        open_, guarded = (
            f"PLAINTEXT://{self.bootstrap_servers}",
            f"GUARDED://{self.guarded_servers}",
        )
        self.properties = {
            "group.min.session.timeout.ms": "1000",
            "listener.security.protocol.map": (
                "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_PLAINTEXT"
            ),
            "listeners": f"{open_},{guarded},CONTROLLER://{HOST}:{self._port('controller_port')}",
            "advertised.listeners": f"{open_},{guarded}",
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.guarded.plain.sasl.jaas.config": LOGIN,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "true",
        }
        super()._prepare()


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedKafka]:
    server = GuardedKafka(tmp_path_factory.mktemp("guarded"))
    server.start()
    yield server
    server.kill()


def refused_by(servers: str, options: dict[str, Any]) -> BrokerUnavailable:
    settings = load_settings(
        database_url="postgresql://-", kafka_bootstrap_servers=servers, kafka_options=options
    )
    with pytest.raises(BrokerUnavailable) as raised:
        describe(open_admin(settings), timeout=1.0)
    return raised.value


def test_the_cause_of_a_missing_connection_is_named(kafka: GuardedKafka) -> None:
    wrong = refused_by(kafka.guarded_servers, {**SASL, "sasl.password": "wrong"})
    assert isinstance(wrong, BrokerRefused)
    assert "Authentication failed: Invalid username or password" in str(wrong)
    assert "EVENT_BUS_KAFKA_OPTIONS" in str(wrong)
    mechanism = refused_by(kafka.guarded_servers, {**SASL, "sasl.mechanism": "SCRAM-SHA-256"})
    assert isinstance(mechanism, BrokerRefused)
    assert "mechanism" in str(mechanism)
    tls = refused_by(kafka.bootstrap_servers, {"security.protocol": "ssl"})
    assert not isinstance(tls, BrokerRefused)
    # The client's words differ with the moment at which the broker closes the connection.
    assert "SSL handshake failed" in str(tls) or "SSL_HANDSHAKE" in str(tls)
    nobody = refused_by("127.0.0.1:9", {})
    assert not isinstance(nobody, BrokerRefused)
    assert "Connection refused" in str(nobody)


@pytest.mark.parametrize("words", [("run",), ("reconcile",)])
def test_a_command_that_kafka_refuses_ends_with_the_cause(
    kafka: GuardedKafka, relay: Relay, words: tuple[str, ...]
) -> None:
    options = '{"security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN", '
    done = relay.command(
        *words,
        EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS=kafka.guarded_servers,
        EVENT_BUS_KAFKA_OPTIONS=options + '"sasl.username": "relay", "sasl.password": "wrong"}',
    )
    assert done.returncode == 2
    assert "Invalid username or password" in done.stderr.splitlines()[-1]


def forbid_writing(admin: AdminClient, topic: str) -> None:
    """Everything else stays allowed."""
    rules = [
        AclBinding(
            ResourceType.TOPIC,
            topic,
            ResourcePatternType.LITERAL,
            "User:*",
            "*",
            operation,
            rule,
        )
        for operation, rule in (
            (AclOperation.ALL, AclPermissionType.ALLOW),
            (AclOperation.WRITE, AclPermissionType.DENY),
        )
    ]
    for future in admin.create_acls(rules).values():
        future.result()


@pytest.mark.parametrize("delivery", ["exactly-once", "at-least-once"])
def test_a_topic_that_the_relay_may_not_write_to_holds_its_own_events_only(
    make_relay: Callable[..., Relay], kafka: GuardedKafka, delivery: str
) -> None:
    # Given a worker with one shard that has published to two topics
    relay = make_relay(bootstrap_servers=kafka.bootstrap_servers, delivery=delivery, shards="1")
    relay.add_domain("more", "noticed")
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    relay.set_up()
    with relay.running():
        relay.publish("a", 1)
        relay.publish("b", 1, event_type="noticed")
        relay.wait_until_delivered(2)
        # When it loses the right to write to one of them
        forbid_writing(admin, relay.topic_of("more"))
        until(lambda: not topics.writable(admin, [relay.topic_of("more")]))
        relay.publish("b", 2, event_type="noticed")
        relay.publish("a", 2)
        # Then the other one's events go on, and its own wait without an attempt
        relay.wait_until_delivered(3)
        held = "select error, attempts from outbox.holds"
        ((error, attempts),) = until(lambda: relay.sql(held))
        assert "grant it Write" in error
        assert attempts == 0
        # and go out once it has the right
        for future in admin.delete_acls([_rules_of(relay.topic_of("more"))]).values():
            future.result()
        relay.wait_until_delivered(4)
    published = [record.sequence for record in relay.published()]
    # Without transactions a batch that was given up is sent again.
    assert (published if delivery == "exactly-once" else list(dict.fromkeys(published))) == [1, 4]


def _rules_of(topic: str) -> Any:
    return AclBindingFilter(
        ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, None, None,
        AclOperation.ANY, AclPermissionType.ANY,
    )  # fmt: skip
