"""Parked queues: the events of each key that failed, with those that came after, in PostgreSQL.

Every function here but `due_queues` runs in the caller's open transaction, under the lock of the
queue's key; `claim` takes it, and `inbox.enter` or `inbox.lock` has before the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg.rows import namedtuple_row

from relay.consume import inbox
from relay.consume.failures import Failure
from relay.consume.inbox import Verdict
from relay.consume.record import Record
from relay.postgres.sqlfile import load

__all__ = ["BEGINNING", "Claimed", "DueQueue", "Head", "Place", "claim", "due_queues"]

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Place:
    """An event that a drain has settled: it goes on after it, as long as the server is the same
    and `inserts`, the number of events that were put before others."""

    sequence: int
    arrival: int
    inserts: int
    server: str


BEGINNING: Final = Place(-(2**63), 0, 0, "")


@dataclass(frozen=True, slots=True)
class DueQueue:
    """A queue whose first event is due. failures: attempts of that one that failed while parked."""

    queue: int
    failures: int


@dataclass(frozen=True, slots=True)
class Head:
    """An event at the beginning of a queue, with its attempts so far.

    place: of the event in its queue. round_attempts: attempts since it was first read or last
    replayed. is_processed: nothing is to be done for it any more.
    """

    queue: int
    place: Place
    record: Record
    attempts: int
    round_attempts: int
    first_failed_at: datetime | None
    is_processed: bool


@dataclass(frozen=True, slots=True)
class Claimed:
    """What `claim` found. heads: by queue, in each one's order. empty: queues without an event."""

    transaction_id: str
    heads: list[Head]
    empty: list[int]


def append(connection: Connection, group: str, records: Sequence[Record]) -> None:
    """Puts records after the events of their keys that are parked; a second time does nothing."""
    with connection.cursor() as cursor:
        cursor.executemany(
            load(__package__, "append.sql"), [record.columns(group) for record in records]
        )


def park(
    connection: Connection,
    group: str,
    record: Record,
    *,
    attempts: int,
    failure: Failure,
    pause: timedelta,
) -> None:
    """Parks an event whose attempts failed, as the first of its key's queue."""
    connection.execute(
        load(__package__, "park.sql"),
        record.columns(group)
        | {
            "attempts": attempts,
            "error": failure.message,
            "first_failed_at": failure.at,
            "pause": pause,
        },
    )


def park_replay(connection: Connection, group: str, record: Record, server: str) -> Verdict:
    """Puts a replayed event into its key's queue at the place that its number gives it.

    It is due at once where that is the first. PARKED where it is parked now; SETTLED where it was
    processed, discarded or parked in the meantime; BUSY where its key is. Raises ServerChanged
    where this is not `server`.
    """
    if not inbox.try_lock_key(connection, group, record, server):
        return Verdict.BUSY
    # A statement of its own: its snapshot must be taken after the lock.
    row = connection.execute(
        load(__package__, "park_replay.sql"),
        record.columns(group) | {"attempts": record.attempts},
    ).fetchone()
    if row is None:
        return Verdict.SETTLED
    connection.execute(
        load(__package__, "note_replay_parked.sql"),
        {"group": group, "queue": row[0], "sequence": row[1], "arrival": row[2]},
    )
    return Verdict.PARKED


def due_queues(connection: Connection, group: str) -> list[DueQueue]:
    """Some hundred queues whose first event is due, longest first."""
    rows = connection.execute(load(__package__, "find_due_queues.sql"), {"group": group})
    return [DueQueue(*row) for row in rows]


def claim(
    connection: Connection,
    group: str,
    queues: Sequence[tuple[int, Place]],
    *,
    most: int,
    idle_timeout_ms: int,
    statement_timeout_ms: int,
) -> Claimed | None:
    """First statement of a handler transaction of parked events: the first `most` events of each
    queue that is due, and whose lock nobody has.

    queues: each with the place after which it is to go on. None when nothing was found.
    """
    places = [place for _, place in queues]
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        rows: list[Any] = cursor.execute(
            load(__package__, "claim.sql"),
            {
                "group": group,
                "queues": [queue for queue, _ in queues],
                "sequences": [place.sequence for place in places],
                "arrivals": [place.arrival for place in places],
                "inserts": [place.inserts for place in places],
                # They were all left by one process; an older one's places don't hold.
                "server": next((place.server for place in reversed(places) if place.server), ""),
                "most": most,
                "idle_timeout_ms": idle_timeout_ms,
                "statement_timeout_ms": statement_timeout_ms,
            },
        ).fetchall()
    if not rows:
        return None
    return Claimed(
        rows[0].transaction_id,
        [_head(row) for row in rows if row.event_id is not None],
        [row.queue for row in rows if row.event_id is None],
    )


def find(connection: Connection, group: str, event_id: str) -> Head | None:
    """A parked event, wherever it stands in its queue, whose row is locked now."""
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        row: Any = cursor.execute(
            load(__package__, "find_parked.sql"), {"group": group, "event_id": event_id}
        ).fetchone()
    return None if row is None else _head(row)


def make_due(connection: Connection, group: str, queue: int) -> None:
    """The first event of a queue is tried at once."""
    connection.execute(load(__package__, "make_due.sql"), {"group": group, "queue": queue})


def unpark(
    connection: Connection, group: str, heads: Sequence[Head], empty: Sequence[int] = ()
) -> int:
    """Takes events out of their queues, so that the next ones are due; how many there were.

    Fewer than `heads` where some have changed since they were claimed: another process has settled
    them. empty: queues without an event, which end, as after somebody has deleted the last one.
    """
    row = connection.execute(
        load(__package__, "unpark.sql"),
        {
            "group": group,
            "queues": [*empty, *{head.queue for head in heads}],
            "event_ids": [head.record.event_id for head in heads],
            "attempts": [head.attempts for head in heads],
        },
    ).fetchone()
    assert row is not None
    return int(row[0])


def resolve(connection: Connection, group: str, heads: Sequence[Head]) -> None:
    """Where events had a dead letter, its state is resolved by this attempt."""
    connection.execute(
        load(__package__, "resolve_dead_letters.sql"),
        {
            "group": group,
            "event_ids": [head.record.event_id for head in heads],
            "attempts": [head.attempts + 1 for head in heads],
        },
    )


def postpone(
    connection: Connection, group: str, head: Head, failure: Failure, pause: timedelta
) -> None:
    """Counts a failed attempt of a queue's first event and sets when it is tried again."""
    connection.execute(
        load(__package__, "postpone_head.sql"),
        {
            "group": group,
            "event_id": head.record.event_id,
            "attempts": head.attempts + 1,
            "round_attempts": head.round_attempts + 1,
            "error": failure.message,
            "failed_at": failure.at,
            "pause": pause,
        },
    )


def _head(row: Any) -> Head:
    record = Record(
        topic=row.topic,
        partition=row.partition,
        offset=row.kafka_offset,
        key=bytes(row.key),
        value=None if row.value is None else bytes(row.value),
        headers=tuple(zip(row.header_names, row.header_values, strict=True)),
        event_id=row.event_id,
        event_type=row.event_type,
    )
    return Head(
        row.queue,
        Place(row.sequence, row.arrival, row.queue_inserts, row.server),
        record,
        row.attempts,
        row.round_attempts,
        row.first_failed_at,
        row.is_processed,
    )
