"""Which errors are outages: by SQLSTATE, by librdkafka's error code, and the relay's own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
from confluent_kafka import KafkaError, KafkaException

from relay.consume.failures import is_disturbance
from relay.errors import (
    BrokerRefused,
    BrokerUnavailable,
    ConfigurationInvalid,
    DatabaseRefused,
    DatabaseUnavailable,
    PositionRefused,
    RegistryUnavailable,
)
from relay.kafka.errors import broker_call
from relay.publish.producer_errors import unknown
from relay.unavailable import (
    KAFKA_OUTAGES,
    KAFKA_REFUSALS,
    Server,
    is_of_a_server,
    unavailable_server,
)


@pytest.mark.parametrize(
    "sqlstate",
    [
        "08000", "08001", "08003", "08006", "08P01",
        "25006", "25P03", "25P04",
        "40001", "40P01",
        "53000", "53100", "53200", "53300", "53400",
        "54000",
        "55006", "55P03",
        "57000", "57014", "57P01", "57P02", "57P03", "57P04", "57P05",
        "58000", "58030",
    ],
)  # fmt: skip
def test_a_database_that_serves_nobody_for_now_is_an_outage(sqlstate: str) -> None:
    error = psycopg.errors.lookup(sqlstate)("the server's words")
    assert error.sqlstate == sqlstate
    assert unavailable_server(error) == "database"


@pytest.mark.parametrize(
    "sqlstate",
    [
        "0A000", "21000", "22003", "22021", "22P02", "23502", "23505", "25001", "25P02",
        "28000", "28P01", "3D000", "3F000", "42501", "42601", "42703", "42883", "42P01",
        "55000", "P0001", "XX000", "XX001",
    ],
)  # fmt: skip
def test_a_statement_that_would_fail_again_is_not(sqlstate: str) -> None:
    error = psycopg.errors.lookup(sqlstate)("the server's words")
    assert unavailable_server(error) is None
    assert is_of_a_server(error)


@pytest.mark.parametrize("kind", [psycopg.OperationalError, psycopg.InterfaceError])
def test_a_connection_that_was_lost_has_no_sqlstate_and_is_an_outage(
    kind: type[psycopg.Error],
) -> None:
    assert unavailable_server(kind("server closed the connection unexpectedly")) == "database"


@pytest.mark.parametrize(
    ("sqlstate", "counts"),
    [
        ("25006", False), ("53100", False), ("53300", False),
        ("57P01", False), ("57P02", False), ("57P03", False),
        ("40001", False), ("40P01", False), ("55P03", False),
        ("53200", True), ("53400", True), ("57014", True), ("25P03", True),
        ("54000", True), ("23505", True),
    ],
)  # fmt: skip
def test_in_a_handler_what_one_event_can_cause_is_a_failed_attempt(
    sqlstate: str, counts: bool
) -> None:
    lives = cast("psycopg.Connection[Any]", SimpleNamespace(broken=False))
    assert is_disturbance(psycopg.errors.lookup(sqlstate)("words"), lives) is not counts


@pytest.mark.parametrize("name", sorted(KAFKA_OUTAGES))
def test_a_broker_that_serves_nobody_for_now_is_an_outage(name: str) -> None:
    error = KafkaException(KafkaError(getattr(KafkaError, name)))
    assert unavailable_server(error) == "kafka"
    assert unknown(error.args[0]).server == "kafka"
    with pytest.raises(BrokerUnavailable) as raised, broker_call("it failed"):
        raise error
    assert not isinstance(raised.value, BrokerRefused)


@pytest.mark.parametrize("name", sorted(KAFKA_REFUSALS))
def test_a_broker_that_refuses_is_for_a_person(name: str) -> None:
    error = KafkaException(KafkaError(getattr(KafkaError, name)))
    assert unavailable_server(error) is None
    assert is_of_a_server(error)
    with pytest.raises(BrokerRefused, match="it failed"), broker_call("it failed"):
        raise error


@pytest.mark.parametrize(
    "name", ["MSG_SIZE_TOO_LARGE", "UNKNOWN_TOPIC_OR_PART", "PRODUCER_FENCED", "_FATAL", "_STATE"]
)
def test_what_a_record_or_a_successor_causes_is_neither(name: str) -> None:
    assert name not in KAFKA_OUTAGES | KAFKA_REFUSALS
    assert unavailable_server(KafkaException(KafkaError(getattr(KafkaError, name)))) is None


@pytest.mark.parametrize(
    ("error", "server"),
    [
        (DatabaseUnavailable("x"), "database"),
        (DatabaseRefused("x"), "database"),
        (BrokerUnavailable("x"), "kafka"),
        (BrokerRefused("x"), "kafka"),
        (RegistryUnavailable("x"), "registry"),
        (ConfigurationInvalid("x"), None),
        (PositionRefused("x"), None),
        (ValueError("x"), None),
        (KeyError(), None),
    ],
)
def test_the_relays_own_errors_name_their_server(error: Exception, server: Server | None) -> None:
    assert unavailable_server(error) == server
    assert is_of_a_server(error) is (server is not None)
