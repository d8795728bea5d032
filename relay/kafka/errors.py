"""What Kafka's errors mean: their text, and whether they are outages."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

__all__ = ["is_unavailable", "reason"]

_UNAVAILABLE = {
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


def is_unavailable(error: KafkaError) -> bool:
    """Whether no broker could be reached or answered in time; False for what it refuses."""
    return error.code() in _UNAVAILABLE


def reason(error: KafkaException) -> str:
    """What the broker or librdkafka reports, without the tuple around it."""
    detail = error.args[0] if error.args else error
    return str(detail.str()) if isinstance(detail, KafkaError) else str(detail)
