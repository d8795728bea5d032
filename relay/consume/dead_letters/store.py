"""Dead letters as an operator sees them: finding, replaying and discarding."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
from confluent_kafka import KafkaError, Message
from psycopg.rows import class_row

from relay.consume.inbox import lock_queue
from relay.errors import BrokerUnavailable
from relay.kafka import headers as names
from relay.kafka.clients import idempotent_producer, require_topics
from relay.postgres.sqlfile import load
from relay.schema.catalog import Catalog
from relay.settings import Settings

__all__ = ["Filter", "Letter", "Replayed", "discard", "find", "replay"]

# Under this name stand the events that the relay could not publish.
RELAY: Final = "relay"
OPEN_STATES: Final = ("dead", "replayed")
ALL_STATES: Final = ("dead", "replayed", "resolved", "discarded")


@dataclass(frozen=True)
class Filter:
    """Which dead letters; a field that is None or empty does not restrict."""

    group: str | None = None
    event_type: str | None = None
    aggregate: str | None = None
    since: datetime | None = None
    event_ids: Sequence[str] = ()
    states: Sequence[str] = OPEN_STATES
    limit: int = 1_000


@dataclass(frozen=True)
class Letter:
    """A dead letter. later_events: later events of its aggregate that the group has processed.

    For the group `relay` there is no record yet, so topic, key and so on are None.
    """

    group_name: str
    event_id: str
    event_type: str | None
    aggregate_id: str | None
    attempt: int
    state: str
    stage: str
    error_class: str | None
    error: str
    stacktrace: str | None
    first_failed_at: datetime
    failed_at: datetime
    topic: str | None
    partition: int | None
    kafka_offset: int | None
    key: bytes | None
    value: bytes | None
    header_names: list[str] | None
    header_values: list[bytes | None] | None
    dlq_topic: str | None
    dlq_partition: int | None
    dlq_offset: int | None
    later_events: int

    def to_json(self, *, details: bool = False) -> dict[str, Any]:
        """For people and scripts. details: with stack trace, headers and value (base64)."""
        found: dict[str, Any] = {
            "group": self.group_name,
            "event_id": self.event_id,
            "event_type": self.event_type,
            "aggregate_id": self.aggregate_id,
            "state": self.state,
            "attempts": self.attempt,
            "stage": self.stage,
            "error_class": self.error_class,
            "error": self.error,
            "first_failed_at": names.timestamp(self.first_failed_at),
            "failed_at": names.timestamp(self.failed_at),
            "origin": _place(self.topic, self.partition, self.kafka_offset),
            "dlq": _place(self.dlq_topic, self.dlq_partition, self.dlq_offset),
            "later_events": self.later_events,
        }
        if details:
            pairs = zip(self.header_names or (), self.header_values or (), strict=True)
            found["stacktrace"] = self.stacktrace
            found["headers"] = {
                name: None if value is None else value.decode("utf-8", "replace")
                for name, value in pairs
            }
            found["value"] = None if self.value is None else base64.b64encode(self.value).decode()
        return found


@dataclass(frozen=True)
class Replayed:
    """A dead letter that is on its way again. topic, partition, offset: in the retry topic,
    None where the relay itself tries again."""

    letter: Letter
    topic: str | None
    partition: int | None
    offset: int | None


def find(connection: psycopg.Connection[Any], wanted: Filter) -> list[Letter]:
    """Dead letters of all groups and of the relay, in the order of their failures."""
    with connection.cursor(row_factory=class_row(Letter)) as cursor:
        cursor.execute(
            load(__package__, "find_dead_letters.sql"),
            {
                "group": wanted.group,
                "event_type": wanted.event_type,
                "aggregate": wanted.aggregate,
                "since": wanted.since,
                "event_ids": list(wanted.event_ids) or None,
                "states": list(wanted.states),
                "limit": wanted.limit,
            },
        )
        return cursor.fetchall()


def replay(
    settings: Settings, connection: psycopg.Connection[Any], letters: Sequence[Letter]
) -> list[Replayed]:
    """Sends dead letters again, each to its group alone; those that were sent.

    The record goes to `<topic>.<group>.retry` with its original key, value and headers. The
    group puts it into its key's parked queue, so that nothing of that key runs beside it; there
    it stands by its first place in the topic, whatever the order of the replays. What the relay
    gave up is due for publishing again.
    Raises ConfigurationInvalid when a retry topic is missing, BrokerUnavailable when not all
    could be sent; a repetition is harmless.
    """
    replayed: list[Replayed] = []
    for letter in letters:
        if letter.group_name == RELAY:
            parameters = {"event_id": letter.event_id}
            if connection.execute(load(__package__, "retry_hold.sql"), parameters).rowcount:
                replayed.append(Replayed(letter, None, None, None))
    records = [letter for letter in letters if letter.topic is not None]
    records.sort(key=lambda one: (one.topic, one.partition, one.kafka_offset))
    return replayed + _produce(settings, connection, records)


def discard(
    connection: psycopg.Connection[Any], letters: Sequence[Letter]
) -> tuple[list[Letter], list[Letter]]:
    """Sets dead letters aside for good: (discarded, refused).

    Refused is what is being tried again at the moment, and what the relay could not publish,
    since leaving it out would break its aggregate's order. The event keeps its flag: the group
    never acted on it.
    """
    discarded: list[Letter] = []
    refused: list[Letter] = []
    for letter in letters:
        done = letter.group_name != RELAY and _discard(connection, letter)
        (discarded if done else refused).append(letter)
    return discarded, refused


def _discard(connection: psycopg.Connection[Any], letter: Letter) -> bool:
    """Whether the letter is set aside now. Its key's lock keeps a replay from being parked
    between the look and the change; an event of the key that is being handled is waited for."""
    assert letter.topic is not None
    assert letter.key is not None
    with connection.transaction():
        lock_queue(connection, letter.group_name, letter.topic, letter.key)
        return bool(
            connection.execute(
                load(__package__, "discard.sql"),
                {"group": letter.group_name, "event_id": letter.event_id},
            ).rowcount
        )


def _produce(
    settings: Settings, connection: psycopg.Connection[Any], letters: Sequence[Letter]
) -> list[Replayed]:
    if not letters:
        return []
    sent: list[Replayed] = []
    errors: list[str] = []
    with connection.transaction(), connection.cursor() as cursor:
        # Beforehand: the group passes over the replay of a letter that is discarded.
        cursor.executemany(
            load(__package__, "reopen.sql"),
            [{"group": one.group_name, "event_id": one.event_id} for one in letters],
        )
    with idempotent_producer(settings, "replay") as producer:
        require_topics(producer, {_retry_topic(letter) for letter in letters})
        for letter in letters:
            producer.produce(
                _retry_topic(letter),
                key=letter.key or None,
                value=letter.value,
                headers=_retry_headers(letter),
                on_delivery=_note(letter, sent, errors),
            )
            producer.poll(0)
        producer.flush()
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            load(__package__, "note_replay.sql"),
            [
                {
                    "group": one.letter.group_name,
                    "event_id": one.letter.event_id,
                    "attempt": one.letter.attempt,
                }
                for one in sent
            ],
        )
    if errors:
        raise BrokerUnavailable(
            f"{len(sent)} of {len(letters)} dead letters were sent again, then Kafka refused: "
            f"{errors[0]}. Replay the others when it works"
        )
    return sent


def _note(
    letter: Letter, sent: list[Replayed], errors: list[str]
) -> Callable[[KafkaError | None, Message], None]:
    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is None:
            sent.append(Replayed(letter, message.topic(), message.partition(), message.offset()))
        else:
            errors.append(error.str())

    return delivered


def _retry_topic(letter: Letter) -> str:
    assert letter.topic is not None
    return Catalog.retry_topic(letter.topic, letter.group_name)


def _retry_headers(letter: Letter) -> list[tuple[str, str | bytes | None]]:
    original = zip(letter.header_names or (), letter.header_values or (), strict=True)
    own = {
        names.GROUP: letter.group_name,
        names.ATTEMPT: str(letter.attempt),
        names.ORIGIN_TOPIC: str(letter.topic),
        names.ORIGIN_PARTITION: str(letter.partition),
        names.ORIGIN_OFFSET: str(letter.kafka_offset),
        names.EVENT: letter.event_id,
        names.REPLAYED_AT: names.timestamp(datetime.now(UTC)),
    }
    return [*original, *((name, text.encode()) for name, text in own.items())]


def _place(topic: str | None, partition: int | None, offset: int | None) -> dict[str, Any] | None:
    if topic is None or offset is None:
        return None
    return {"topic": topic, "partition": partition, "offset": offset}
