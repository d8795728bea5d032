"""Parked events as an operator sees them: what waits, to be tried now, to be given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from relay.consume import inbox, parked_queues
from relay.consume.failures import Failure, Fatal
from relay.postgres.sqlfile import load

__all__ = ["MOST_COUNTED", "ParkedEvent", "list_parked", "retry_parked", "skip_parked"]

Connection = psycopg.Connection[Any]

# Of the events that wait after one, this many are counted.
MOST_COUNTED: Final = 10_000


@dataclass(frozen=True)
class ParkedEvent:
    """A parked event. is_first: of its key, so that it is tried at next_attempt_at.

    waiting: events of the key after the first, at most MOST_COUNTED.
    """

    group_name: str
    event_id: str
    event_type: str | None
    topic: str
    key: bytes
    is_first: bool
    waiting: int
    attempts: int
    error: str | None
    first_failed_at: datetime | None
    parked_at: datetime
    next_attempt_at: datetime

    def to_json(self) -> dict[str, Any]:
        """As `relay parked list --json` prints it."""
        return {
            "group": self.group_name,
            "event_id": self.event_id,
            "event_type": self.event_type,
            "topic": self.topic,
            "key": self.key.decode(errors="replace"),
            "is_first": self.is_first,
            "waiting": self.waiting,
            "attempts": self.attempts,
            "error": self.error,
            "first_failed_at": self.first_failed_at and self.first_failed_at.isoformat(),
            "parked_at": self.parked_at.isoformat(),
            "next_attempt_at": self.next_attempt_at.isoformat(),
        }


def list_parked(
    connection: Connection,
    *,
    group: str | None = None,
    event_ids: Sequence[str] = (),
    limit: int = 1_000,
) -> list[ParkedEvent]:
    """The first event of each key that has parked events, those that are tried next first; or the
    events with these ids, whatever their place and number."""
    with connection.cursor(row_factory=class_row(ParkedEvent)) as cursor:
        return cursor.execute(
            load(__package__, "list_parked.sql"),
            {
                "group": group,
                "event_ids": list(event_ids),
                "limit": limit,
                "most_counted": MOST_COUNTED,
            },
        ).fetchall()


def retry_parked(
    connection: Connection, *, group: str | None = None, event_ids: Sequence[str] = ()
) -> int:
    """Makes keys due now, all of them or those of events: the first event of each is tried, then
    the others. Returns their number."""
    return connection.execute(
        load(__package__, "retry_parked.sql"),
        {"group": group, "event_ids": list(event_ids), "all": not event_ids},
    ).rowcount


def skip_parked(connection: Connection, event: ParkedEvent, reason: str) -> bool:
    """Gives a parked event up: it gets a dead letter, and the later events of its key go on.

    It can be replayed like others. Waits for a handler of its key that runs. False where it is not
    parked any more.
    """
    failure = Failure.of("handle", Fatal(f"skipped by an operator: {reason}"))
    with connection.transaction():
        inbox.wait_for_key(connection, event.group_name, event.topic, event.key)
        head = parked_queues.find(connection, event.group_name, event.event_id)
        if head is None or not parked_queues.unpark(connection, event.group_name, [head]):
            return False
        inbox.write_dead_letter(
            connection,
            event.group_name,
            head.record,
            attempts=head.attempts + 1,
            failure=failure,
            first_failed_at=head.first_failed_at,
        )
        if event.is_first:
            parked_queues.make_due(connection, event.group_name, head.queue)
    return True
