"""Reads what there is at the end of a run: tables, topics and the writers' accounts.

Like verdict.py it imports nothing of relay/: a fault there must not hide itself here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

__all__ = [
    "DeadLetter",
    "Effect",
    "Evidence",
    "Record",
    "Row",
    "collect",
    "flagged_dead",
    "last_seq",
]

_READ_S: Final = 60.0
_FRAME: Final = 5


class Row(NamedTuple):
    """An event of the outbox with its flags. of: what it is a copy of."""

    event_id: str
    seq: int
    event_type: str
    aggregate_type: str
    aggregate_id: str
    number: int
    of: str | None
    causation_id: str | None
    topic: str | None
    partition: int | None
    offset: int | None
    is_dead: bool


class Record(NamedTuple):
    """A committed record of an event topic. number: decoded from its value."""

    topic: str
    partition: int
    offset: int
    key: str
    event_id: str
    event_type: str
    aggregate_type: str
    subject: str
    sequence: int
    number: int


class Effect(NamedTuple):
    """What a handler did, in the order in which it was done."""

    group: str
    event_id: str
    aggregate_id: str
    number: int
    topic: str
    partition: int
    offset: int


class DeadLetter(NamedTuple):
    """A record of a dead-letter topic. outcome: dead or resolved; the place is the event's own."""

    group: str
    event_id: str
    outcome: str
    topic: str
    partition: int
    offset: int


@dataclass(frozen=True)
class Evidence:
    """Everything that was found. records: by partition and offset. unread: partitions whose end
    could not be reached. resolved: (event, group) that the outbox's outcomes call resolved. dead,
    dead_before: that they called dead at the end, and before the handlers were fixed. fixed_after:
    the last event's seq at that time. parked: events that still wait in a parked queue."""

    rows: Sequence[Row]
    records: Sequence[Record]
    effects: Sequence[Effect]
    dead_letters: Sequence[DeadLetter]
    committed: frozenset[str]
    rolled_back: frozenset[str]
    unread: Sequence[str]
    resolved: frozenset[tuple[str, str]]
    dead: frozenset[tuple[str, str]]
    dead_before: frozenset[tuple[str, str]]
    fixed_after: int
    parked: int


def flagged_dead(connection: psycopg.Connection[Any]) -> frozenset[tuple[str, str]]:
    """(event, group) of the dead letters that the outbox knows of now."""
    return _outcomes(connection, "dead")


def last_seq(connection: psycopg.Connection[Any]) -> int:
    """The seq of the last event that is there now; 0 if there is none."""
    row = connection.execute("select coalesce(max(seq), 0) from outbox.domain_events").fetchone()
    return int(row[0]) if row else 0


def collect(
    connection: psycopg.Connection[Any],
    servers: str,
    topics: Sequence[str],
    dead_letter_topics: Sequence[str],
    accounts: Iterable[Path],
    dead_before: frozenset[tuple[str, str]],
    fixed_after: int,
) -> Evidence:
    """Reads everything. topics: of events. accounts: files of the writers."""
    rows = [Row(*row) for row in connection.execute(_ROWS)]
    effects = [Effect(*row) for row in connection.execute(_EFFECTS)]
    parked = connection.execute("select count(*) from inbox.parked").fetchone()
    messages, unread = _read(servers, topics)
    letters, unread_too = _read(servers, dead_letter_topics)
    lines = [line.split() for path in accounts for line in path.read_text().splitlines()]
    return Evidence(
        rows=rows,
        records=[_record(*message) for message in messages],
        effects=effects,
        dead_letters=[_dead_letter(headers) for _, _, headers in letters],
        committed=frozenset(event for word, *ids in lines if word == "C" for event in ids),
        rolled_back=frozenset(event for word, *ids in lines if word == "R" for event in ids),
        unread=[*unread, *unread_too],
        resolved=_outcomes(connection, "resolved"),
        dead=flagged_dead(connection),
        dead_before=dead_before,
        fixed_after=fixed_after,
        parked=parked[0] if parked else 0,
    )


def _outcomes(connection: psycopg.Connection[Any], state: str) -> frozenset[tuple[str, str]]:
    query = "select event_id, group_name from outbox.outcomes where state = %s"
    return frozenset((event, group) for event, group in connection.execute(query, (state,)))


_ROWS = """
select
    id, seq, event_type, aggregate_type, aggregate_id, (payload ->> 'number')::bigint,
    payload ->> 'of', metadata ->> 'causationId', topic, partition, kafka_offset, dead_letter
from outbox.domain_event_status
order by seq
"""
_EFFECTS = """
select group_name, event_id, aggregate_id, number, topic, partition, kafka_offset
from chaos.effects
order by position
"""

_Message = tuple[tuple[str, int, int], tuple[bytes, bytes], dict[str, str]]


def _read(servers: str, topics: Sequence[str]) -> tuple[list[_Message], list[str]]:
    """All committed records of topics by partition and offset, and partitions whose end was not
    reached: a transaction hangs there."""
    reader = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "chaos-checker",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 50,
        }
    )
    found: list[_Message] = []
    try:
        known = reader.list_topics(timeout=_READ_S).topics
        places = [(topic, number) for topic in topics for number in known[topic].partitions]
        ends = {
            place: reader.get_watermark_offsets(TopicPartition(*place), timeout=_READ_S)[1]
            for place in places
        }
        waiting = set(places)
        reader.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in places])
        deadline = time.monotonic() + _READ_S
        while waiting and time.monotonic() < deadline:
            first = reader.poll(0.5)
            for message in [first, *reader.consume(5_000, 0)] if first is not None else []:
                place = (message.topic(), message.partition())
                if (error := message.error()) is None:
                    headers = {n: (v or b"").decode() for n, v in message.headers() or ()}
                    content = (message.key() or b"", message.value() or b"")
                    found.append(((*place, message.offset()), content, headers))
                elif error.code() == KafkaError._PARTITION_EOF:
                    # At the end of what is committed; more may lie behind an open transaction.
                    if message.offset() >= ends[place]:
                        waiting.discard(place)
                else:
                    raise RuntimeError(f"{place} can't be read: {error.str()}")
    finally:
        reader.close()
    found.sort(key=lambda message: message[0])
    return found, [f"{topic}[{number}]" for topic, number in sorted(waiting)]


def _record(
    place: tuple[str, int, int], content: tuple[bytes, bytes], headers: dict[str, str]
) -> Record:
    key, value = content
    return Record(
        *place,
        key=key.decode(),
        event_id=headers.get("ce_id", ""),
        event_type=headers.get("ce_type", ""),
        aggregate_type=headers.get("ce_aggregatetype", ""),
        subject=headers.get("ce_subject", ""),
        sequence=int(headers.get("ce_sequence", "0")),
        number=_first_long(value),
    )


def _first_long(value: bytes) -> int:
    """The first field of an Avro record in Confluent's frame; -1 where there is none."""
    if len(value) <= _FRAME or value[0] != 0:
        return -1
    found = shift = 0
    for byte in value[_FRAME:]:
        found |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    return (found >> 1) ^ -(found & 1)


def _dead_letter(headers: dict[str, str]) -> DeadLetter:
    return DeadLetter(
        group=headers.get("__dlq.errors.group", ""),
        event_id=headers.get("__dlq.event", ""),
        outcome=headers.get("__dlq.outcome", ""),
        topic=headers.get("__dlq.errors.topic", ""),
        partition=int(headers.get("__dlq.errors.partition", "-1")),
        offset=int(headers.get("__dlq.errors.offset", "-1")),
    )
