"""Replays dead letters: of a group to that group, of the relay itself by publishing again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from confluent_kafka import KafkaError, Message, Producer

from relay.consume.dead_letters.store import RELAY, DeadLetter
from relay.errors import BrokerUnavailable
from relay.kafka import headers as names
from relay.kafka.clients import idempotent_producer
from relay.kafka.topics import describe, open_admin, require_topics
from relay.postgres.sqlfile import load
from relay.schema.catalog import Catalog
from relay.settings import Settings

__all__ = ["Replayed", "replay", "replay_headers"]

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Replayed:
    """A dead letter that was sent again. topic, partition, offset: in the retry topic, None where
    the relay itself tries again."""

    dead_letter: DeadLetter
    topic: str | None
    partition: int | None
    offset: int | None


def replay(
    settings: Settings, connection: Connection, dead_letters: Sequence[DeadLetter]
) -> list[Replayed]:
    """Sends dead letters again, each only to its group; those that were sent.

    The record goes to `<topic>.<group>.retry` with its original key, value and headers. The
    group puts it into its key's parked queue, so that nothing of that key runs beside it; its
    place there is that of its first offset in the topic, whatever the order of the replays. What
    the relay gave up is due for publishing again, after the others are sent.
    Raises ConfigurationInvalid when a retry topic is missing and BrokerUnavailable when Kafka is,
    before anything is done; BrokerUnavailable, which says what was done, when not all could be
    sent. A repetition is harmless.
    """
    unpublished = [each for each in dead_letters if each.group_name == RELAY]
    of_groups = [each for each in dead_letters if each.topic is not None]
    of_groups.sort(key=lambda each: (each.topic, each.partition, each.kafka_offset))
    sent = _send(settings, connection, of_groups, len(unpublished))
    published = [
        Replayed(each, None, None, None) for each in unpublished if _publish(connection, each)
    ]
    return [*published, *sent]


def replay_headers(dead_letter: DeadLetter) -> list[tuple[str, str | bytes | None]]:
    """The original headers, then which event of which group is replayed, and its first origin."""
    original = zip(dead_letter.header_names or (), dead_letter.header_values or (), strict=True)
    own = {
        names.GROUP: dead_letter.group_name,
        names.ATTEMPT: str(dead_letter.attempt),
        names.ORIGIN_TOPIC: str(dead_letter.topic),
        names.ORIGIN_PARTITION: str(dead_letter.partition),
        names.ORIGIN_OFFSET: str(dead_letter.kafka_offset),
        names.EVENT: dead_letter.event_id,
        names.REPLAYED_AT: names.timestamp(datetime.now(UTC)),
    }
    return [*original, *((name, text.encode()) for name, text in own.items())]


def _publish(connection: Connection, dead_letter: DeadLetter) -> bool:
    """Whether the relay tries to publish the event again."""
    parameters = {"event_id": dead_letter.event_id}
    return bool(connection.execute(load(__package__, "retry_hold.sql"), parameters).rowcount)


def _send(
    settings: Settings, connection: Connection, dead_letters: Sequence[DeadLetter], unpublished: int
) -> list[Replayed]:
    """unpublished: how many of the relay's own are left alone when this fails."""
    if not dead_letters:
        return []
    with idempotent_producer(settings, "replay") as producer:
        cluster = describe(open_admin(settings))
        require_topics(cluster, {_retry_topic(each) for each in dead_letters})
        # Before sending: the group ignores the replay of a dead letter that is discarded.
        _execute_many(
            connection,
            "reopen.sql",
            [{"group": each.group_name, "event_id": each.event_id} for each in dead_letters],
        )
        sent, errors = _produce(producer, dead_letters)
    _execute_many(
        connection,
        "note_replay.sql",
        [
            {
                "group": each.dead_letter.group_name,
                "event_id": each.dead_letter.event_id,
                "attempt": each.dead_letter.attempt,
            }
            for each in sent
        ],
    )
    if errors:
        raise BrokerUnavailable(
            f"{len(sent)} of {len(dead_letters)} dead letters of groups were sent again, then "
            f"Kafka refused: {errors[0]}."
            + (f" None of the relay's {unpublished} is tried again." if unpublished else "")
            + " Replay the others when it works"
        )
    return sent


def _produce(
    producer: Producer, dead_letters: Sequence[DeadLetter]
) -> tuple[list[Replayed], list[str]]:
    """What was sent, and the errors of the others."""
    sent: list[Replayed] = []
    errors: list[str] = []
    for each in dead_letters:
        producer.produce(
            _retry_topic(each),
            key=each.key or None,
            value=each.value,
            headers=replay_headers(each),
            on_delivery=_on_delivery(each, sent, errors),
        )
        producer.poll(0)
    producer.flush()
    return sent, errors


def _on_delivery(
    dead_letter: DeadLetter, sent: list[Replayed], errors: list[str]
) -> Callable[[KafkaError | None, Message], None]:
    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is None:
            sent.append(
                Replayed(dead_letter, message.topic(), message.partition(), message.offset())
            )
        else:
            errors.append(error.str())

    return delivered


def _retry_topic(dead_letter: DeadLetter) -> str:
    assert dead_letter.topic is not None
    return Catalog.retry_topic(dead_letter.topic, dead_letter.group_name)


def _execute_many(connection: Connection, query: str, parameters: Sequence[dict[str, Any]]) -> None:
    # In the order in which everyone locks dead letters, or two would wait for each other.
    ordered = sorted(parameters, key=lambda each: (each["group"], each["event_id"]))
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(load(__package__, query), ordered)
