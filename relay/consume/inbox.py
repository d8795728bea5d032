"""The inbox: the outcome of each event in a group, in the tables of schema `inbox`.

Every function here runs in the caller's open transaction and needs the key's lock first, which
`enter`, `lock` and `parked_queues.claim` take. That lock is what makes "look, then decide" safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import psycopg

from relay.consume.failures import Failure, ServerChanged
from relay.consume.record import Record
from relay.postgres.sqlfile import load
from relay.schema.catalog import Catalog

__all__ = ["Entered", "Verdict", "enter", "lock", "settle", "write_dead_letter"]

Connection = psycopg.Connection[Any]

# SQLSTATEs of inbox.settle().
TRANSACTION_CHANGED: Final = "RL001"
SETTLED_MEANWHILE: Final = "RL002"


class Verdict(StrEnum):
    """The state of an event in a group, read under its key's lock; BUSY where another transaction
    has that, and LATER where the event's turn did not come."""

    RUN = "run"
    FREE = "free"
    PARKED = "parked"
    SETTLED = "settled"
    BUSY = "busy"
    LATER = "later"


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
    """First statement of a handler transaction: RUN, PARKED, SETTLED or BUSY for each record.

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
    """Takes the key's lock; then whether the event is FREE, PARKED or SETTLED, otherwise BUSY.

    Raises ServerChanged where this is not `server`.
    """
    if not try_lock_key(connection, group, record, server):
        return Verdict.BUSY
    # A statement of its own: its snapshot must be taken after the lock.
    return _state(connection, group, record)


def try_lock_key(connection: Connection, group: str, record: Record, server: str) -> bool:
    """Takes the lock of a record's key and holds it until the transaction ends.

    False where another transaction has it. Raises ServerChanged where this is not `server`.
    """
    row = connection.execute(
        load(__package__, "try_lock_queue.sql"),
        {"group": group, "topic": record.topic, "key": record.key},
    ).fetchone()
    assert row is not None
    if row[0] != server:
        raise ServerChanged
    return bool(row[1])


def wait_for_key(connection: Connection, group: str, topic: str, key: bytes) -> None:
    """Waits for a key's lock and holds it until the transaction ends."""
    connection.execute(
        load(__package__, "lock_queue.sql"), {"group": group, "topic": topic, "key": key}
    )


def is_settled(connection: Connection, group: str, record: Record) -> bool:
    """Whether an event is settled, without its key's lock: it stays so."""
    return _state(connection, group, record) is Verdict.SETTLED


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


def _state(connection: Connection, group: str, record: Record) -> Verdict:
    row = connection.execute(
        load(__package__, "read_state.sql"),
        {
            "group": group,
            "topic": record.topic,
            "key": record.key,
            "event_id": record.event_id,
        },
    ).fetchone()
    assert row is not None
    return Verdict(row[0])
