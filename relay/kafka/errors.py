"""Turns Kafka's errors into the relay's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException

from relay.errors import BrokerRefused, BrokerUnavailable, ConfigurationInvalid, in_a_line, said
from relay.unavailable import is_kafka_refusal

__all__ = ["broker_call", "option_errors", "reason", "refusal"]


def reason(error: KafkaException) -> str:
    """Returns the message of the broker or librdkafka."""
    detail = error.args[0] if error.args else error
    return str(detail.str()) if isinstance(detail, KafkaError) else str(detail)


# What to do about a refusal, by the name of librdkafka's error code.
_CORRECTIONS = {
    "INVALID_SESSION_TIMEOUT": "Set EVENT_BUS_SESSION_TIMEOUT_MS to a value between the brokers' "
    "group.min.session.timeout.ms and group.max.session.timeout.ms",
    "INVALID_TRANSACTION_TIMEOUT": "Set EVENT_BUS_TRANSACTION_TIMEOUT_MS to no more than the "
    "brokers' transaction.max.timeout.ms",
}


def refusal(error: KafkaError) -> BrokerRefused:
    """Returns the error for a refusal that only a person can end; see is_kafka_refusal."""
    correction = _CORRECTIONS.get(error.name(), "Grant the right, or correct the setting")
    return BrokerRefused(f"Kafka refuses: {error.str()}. {correction}")


@contextmanager
def option_errors() -> Iterator[None]:
    """Turns what librdkafka raises for an option when a client is created into
    ConfigurationInvalid."""
    try:
        yield
    except (KafkaException, TypeError, ValueError) as error:
        words = in_a_line(reason(error) if isinstance(error, KafkaException) else said(error))
        raise ConfigurationInvalid(
            f"EVENT_BUS_KAFKA_OPTIONS or EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS is refused by "
            f"librdkafka: {words}. Correct the option"
        ) from error


@contextmanager
def broker_call(failed: str, advice: str = "Check that Kafka runs.") -> Iterator[None]:
    """Turns a KafkaException inside the block into BrokerUnavailable or BrokerRefused.

    failed: what could not be done. advice: what to check.
    """
    try:
        yield
    except KafkaException as error:
        found = error.args[0] if error.args else None
        refused = isinstance(found, KafkaError) and is_kafka_refusal(found)
        kind = BrokerRefused if refused else BrokerUnavailable
        raise kind(f"{failed}: {reason(error)}. {advice}") from error
