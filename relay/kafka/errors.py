"""Which of Kafka's errors say that no broker could be reached or answered in time."""

from __future__ import annotations

from confluent_kafka import KafkaError

__all__ = ["is_away"]

_AWAY = {
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._MSG_TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError._TIMED_OUT,
    KafkaError._TIMED_OUT_QUEUE,
    KafkaError._TRANSPORT,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_ENOUGH_REPLICAS,
    KafkaError.REQUEST_TIMED_OUT,
}


def is_away(error: KafkaError) -> bool:
    """Whether the error is an outage; False for what the broker refuses."""
    return error.code() in _AWAY
