"""What Kafka's errors mean for a batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from confluent_kafka import KafkaError, KafkaException

from relay.publish.errors import OutcomeUnknown, RecordRefused
from relay.unavailable import is_kafka_outage

__all__ = [
    "DROPPED",
    "RECORD_REFUSED",
    "TOPIC_REFUSED",
    "kafka_error",
    "outcome_unknown",
    "unknown",
]

RECORD_REFUSED: Final = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_RECORD,
    KafkaError.INVALID_MSG,
    KafkaError.INVALID_MSG_SIZE,
    KafkaError.POLICY_VIOLATION,
}
TOPIC_REFUSED: Final = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
}


# The client dropped the record for a reason that the error does not name.
DROPPED: Final = {KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}


@contextmanager
def outcome_unknown(what: str = "") -> Iterator[None]:
    try:
        yield
    except (KafkaException, SystemError) as error:
        raise unknown(kafka_error(error), what) from error


def kafka_error(error: KafkaException | SystemError) -> KafkaError:
    """What Kafka reported.

    A fatal error, such as being fenced, is raised by the client while it may still call delivery
    callbacks, whose first call then ends in SystemError with the true error as its cause.
    """
    cause = error.__cause__ if isinstance(error, SystemError) else error
    if not isinstance(cause, KafkaException):
        raise error
    found: KafkaError = cause.args[0]
    return found


def unknown(error: KafkaError, what: str = "") -> OutcomeUnknown:
    reason = f"{what}: {error.str()}" if what else error.str()
    if error.code() in TOPIC_REFUSED:
        return RecordRefused(reason, of_topic=True)
    if error.code() in RECORD_REFUSED:
        return RecordRefused(reason, of_topic=False)
    return OutcomeUnknown(reason, "kafka" if is_kafka_outage(error) else None)
