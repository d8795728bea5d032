"""The inbox: the outcome of each event in a group, in the tables of schema `inbox`.

Every function here runs in the caller's open transaction and needs the key's lock first, which
`enter`, `lock` and `claim` take. That lock is what makes "look, then decide" safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import psycopg

from relay.consume.failures import Failure, ServerChanged
from relay.consume.record import Record
from relay.postgres.sqlfile import load
from relay.schema.catalog import Catalog

__all__ = ["Entered", "Head", "Verdict", "claim", "enter", "settle"]

Connection = psycopg.Connection[Any]

# SQLSTATEs of inbox.settle().
TRANSACTION_CHANGED: Final = "RL001"
SETTLED_MEANWHILE: Final = "RL002"


class Verdict(StrEnum):
    """The state of an event in a group, read under its key's lock."""

    RUN = "run"
    FREE = "free"
    PARKED = "parked"
    SETTLED = "settled"


@dataclass(frozen=True)
class Head:
    """The first event of a parked queue, with its attempts so far.

    round_attempts: attempts since it was first read or last replayed. is_processed: nothing is to
    be done for it any more.
    """

    queue: int
    record: Record
    attempts: int
    round_attempts: int
    first_failed_at: datetime | None
    is_processed: bool
    transaction_id: str


@dataclass(frozen=True)
class Entered:
    """The start of a handler transaction. verdicts: of each record. server: the running one."""

    verdicts: list[Verdict]
    transaction_id: str
    server: str


def enter(
    connection: Connection,
    group: str,
    records: Sequence[Record],
    *,
    idle_timeout_ms: int,
    statement_timeout_ms: int,
) -> Entered:
    """First statement of a handler transaction: RUN, PARKED or SETTLED for each record.

    Whatever was RUN needs its row by `settle`, as the last statement.
    """
    row = connection.execute(
        load(__package__, "enter.sql"),
        {
            "group": group,
            "topics": [record.topic for record in records],
            "keys": [record.key for record in records],
            "event_ids": [record.event_id for record in records],
            "idle_timeout_ms": idle_timeout_ms,
            "statement_timeout_ms": statement_timeout_ms,
        },
    ).fetchone()
    assert row is not None
    return Entered([Verdict(verdict) for verdict in row[0]], row[1], row[2])


def settle(
    connection: Connection,
    group: str,
    handled: Sequence[tuple[str, int]],
    transaction_id: str,
) -> None:
    """Last statement of a handler transaction: the inbox rows of the events that were handled.

    handled: ids of events and the number of each one's attempt. Fails with TRANSACTION_CHANGED
    where the transaction is another one than `transaction_id`: what handlers did before is
    committed or undone, and nothing of it is settled. Fails with SETTLED_MEANWHILE where an event
    was.
    """
    connection.execute(
        load(__package__, "settle.sql"),
        {
            "group": group,
            "event_ids": [event_id for event_id, _ in handled],
            "attempts": [number for _, number in handled],
            "transaction_id": transaction_id,
        },
    )


def lock(connection: Connection, group: str, record: Record, server: str) -> Verdict:
    """Waits for the key's lock; then whether the event is FREE, PARKED or SETTLED.

    Raises ServerChanged where this is not `server`.
    """
    queue, here = lock_key(connection, group, record.topic, record.key)
    if here != server:
        raise ServerChanged
    # A statement of its own: its snapshot must be taken after the lock.
    found = connection.execute(
        "select state from inbox.states(%s, array[%s]::bigint[], array[%s]::text[])",
        (group, queue, record.event_id),
    ).fetchone()
    assert found is not None
    return Verdict(found[0])


def lock_key(connection: Connection, group: str, topic: str, key: bytes) -> tuple[int, str]:
    """Waits for a key's lock and holds it until the transaction ends; the key's queue, and the
    running server."""
    row = connection.execute(
        load(__package__, "lock_queue.sql"), {"group": group, "topic": topic, "key": key}
    ).fetchone()
    assert row is not None
    return int(row[0]), row[1]


def append(connection: Connection, group: str, record: Record) -> None:
    """Puts a record after the events of its key that are parked; a second time does nothing."""
    _park(connection, group, record, attempts=record.attempts, failure=None, pause=None)


def park(
    connection: Connection,
    group: str,
    record: Record,
    *,
    attempts: int,
    failure: Failure,
    pause: timedelta,
) -> None:
    """Parks an event whose attempts failed, as the head of its key's queue."""
    _park(connection, group, record, attempts=attempts, failure=failure, pause=pause)


def park_replay(connection: Connection, group: str, record: Record, server: str) -> bool:
    """Puts a replayed event into its key's queue at the place that its first origin gives it.

    It is due at once where that is the head. Nothing happens when it was processed, discarded or
    parked in the meantime. Returns whether it is parked now. Raises ServerChanged where this is not
    `server`.
    """
    _, here = lock_key(connection, group, record.topic, record.key)
    if here != server:
        raise ServerChanged
    parameters = record.columns(group) | {"attempts": record.attempts}
    row = connection.execute(load(__package__, "park_replay.sql"), parameters).fetchone()
    if row is None:
        return False
    connection.execute("select inbox.promote(%s, %s)", (group, row[0]))
    return True


def due_queues(connection: Connection, group: str) -> list[int]:
    """Queues with an event whose pause is over, longest first."""
    rows = connection.execute(load(__package__, "find_due_queues.sql"), {"group": group})
    return [queue for (queue,) in rows]


def claim(
    connection: Connection,
    group: str,
    queue: int,
    *,
    idle_timeout_ms: int,
    statement_timeout_ms: int,
) -> Head | None:
    """Takes the lock of `queue` if nobody has it, and the queue's head if it is due."""
    row = connection.execute(
        "select pg_try_advisory_xact_lock(%s), "
        "set_config('idle_in_transaction_session_timeout', %s, true)",
        (queue, str(idle_timeout_ms)),
    ).fetchone()
    if row is None or not row[0]:
        return None
    found = connection.execute(
        load(__package__, "claim_head.sql"),
        {"group": group, "queue": queue, "statement_timeout_ms": str(statement_timeout_ms)},
    ).fetchone()
    if found is None:
        return None
    event_id, event_type, topic, partition, offset, key, value, header_names, header_values = found[
        :9
    ]
    record = Record(
        topic=topic,
        partition=partition,
        offset=offset,
        key=bytes(key),
        value=None if value is None else bytes(value),
        headers=tuple(zip(header_names, header_values, strict=True)),
        event_id=event_id,
        event_type=event_type,
    )
    return Head(queue, record, *found[9:14])


def unpark(connection: Connection, group: str, head: Head) -> bool:
    """Takes the head out of its queue, so that the next one is due.

    False when it has changed since it was claimed: another process has settled it.
    """
    deleted = connection.execute(
        load(__package__, "unpark.sql"),
        {"group": group, "event_id": head.record.event_id, "attempts": head.attempts},
    ).rowcount
    connection.execute("select inbox.promote(%s, %s)", (group, head.queue))
    return bool(deleted)


def resolve(connection: Connection, group: str, head: Head) -> None:
    """Where the event had a dead letter, its state is resolved by this attempt."""
    connection.execute(
        load(__package__, "resolve_dead_letter.sql"),
        {"group": group, "event_id": head.record.event_id, "attempt": head.attempts + 1},
    )


def postpone(
    connection: Connection, group: str, head: Head, failure: Failure, pause: timedelta
) -> None:
    """Counts a failed attempt of the head and sets when it is tried again."""
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


def write_dead_letter(
    connection: Connection,
    group: str,
    record: Record,
    *,
    attempts: int,
    failure: Failure,
    first_failed_at: datetime | None,
) -> None:
    """Writes the dead letter of an event after its last attempt, number `attempts`.

    No inbox row is written: a replay must not look like a duplicate.
    """
    connection.execute(
        load(__package__, "write_dead_letter.sql"),
        record.columns(group)
        | {
            "attempts": attempts,
            "stage": failure.stage,
            "error_class": failure.error_class,
            "error": failure.message,
            "stacktrace": failure.stacktrace,
            "first_failed_at": first_failed_at or failure.at,
            "failed_at": failure.at,
            "dlq_topic": Catalog.dlq_topic(record.topic, group),
        },
    )


def count_waiting(connection: Connection, group: str) -> tuple[int, int]:
    """Number of parked events, and of dead letters whose state is not in their topic yet."""
    row = connection.execute(load(__package__, "count_waiting.sql"), {"group": group}).fetchone()
    assert row is not None
    return row[0], row[1]


def _park(
    connection: Connection,
    group: str,
    record: Record,
    *,
    attempts: int,
    failure: Failure | None,
    pause: timedelta | None,
) -> None:
    connection.execute(
        load(__package__, "park.sql"),
        record.columns(group)
        | {
            "attempts": attempts,
            "error": failure.message if failure else None,
            "first_failed_at": failure.at if failure else None,
            "pause": pause,
        },
    )
