"""The timeline of an aggregate: its events in order, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from relay.postgres.sqlfile import load

__all__ = ["MOST_EVENTS", "Timeline", "TimelineEvent", "read_timeline"]

MOST_EVENTS: Final = 500


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """A row of outbox.domain_event_status: an event and what became of it.

    seq: number in the outbox; delivery_state: pending, delivered, failing, held or dead.
    """

    seq: int
    id: str
    event_type: str
    schema_version: int | None
    aggregate_type: str
    aggregate_id: str
    payload: Any
    metadata: dict[str, Any]
    occurred_at: datetime
    created_at: datetime
    topic: str | None
    partition: int | None
    kafka_offset: int | None
    delivered_at: datetime | None
    delivery_attempts: int
    dead_letter: bool
    last_error: str | None
    delivery_state: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """A page of events, oldest first; next_cursor is None when it is the last for now."""

    events: tuple[TimelineEvent, ...]
    next_cursor: int | None


def read_timeline(
    connection: psycopg.Connection[Any],
    aggregate_type: str,
    aggregate_id: str,
    *,
    cursor: int = 0,
    limit: int = 50,
    related: bool = False,
) -> Timeline:
    """Up to `limit` (1 to 500) events of one aggregate that come after `cursor`, oldest first.

    cursor: `next_cursor` of the page before, 0 for the first.
    related: also events of other aggregates that share a correlationId with one of this one's.
    Events of the aggregate never appear before a cursor that has passed them, where they were
    written by publish; related ones may, since other aggregates commit in their own time.
    Raises ValueError for a limit out of range.
    """
    if not 1 <= limit <= MOST_EVENTS:
        raise ValueError(f"limit is {limit}; 1 to {MOST_EVENTS} events can be read at once")
    parameters = {
        "aggregate_type": aggregate_type,
        "aggregate_id": aggregate_id,
        "after": cursor,
        "rows": limit + 1,
        "related": related,
    }
    with connection.cursor(row_factory=class_row(TimelineEvent)) as reader:
        found = reader.execute(load(__package__, "read_timeline.sql"), parameters).fetchall()
    events = tuple(found[:limit])
    return Timeline(events, events[-1].seq if len(found) > limit else None)
