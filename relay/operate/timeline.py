"""Events with what became of them, and the timeline of an aggregate, page by page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import set_json_loads

from relay.postgres.sqlfile import load
from relay.schema.avro.depth import json_too_deep

__all__ = ["MOST_EVENTS", "EventStatus", "Timeline", "read_event", "read_timeline"]

MOST_EVENTS: Final = 500


@dataclass(frozen=True, slots=True)
class EventStatus:
    """A row of outbox.domain_event_status: an event and what became of it.

    payload, metadata: strings if Python can't read the JSON, or not write it again.
    seq: number in the outbox. delivery_state: pending, delivered, failing, held, dead or
    discarded, the last with its reason and time.
    """

    seq: int
    id: str
    event_type: str
    schema_version: int | None
    aggregate_type: str
    aggregate_id: str
    payload: Any
    metadata: Any
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
    discard_reason: str | None
    discarded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """A page of events, oldest first. next_cursor: None on the last page for now.

    pruned_at: when `relay prune` last deleted events that may be missing on the page; None: the
    page lacks none.
    """

    events: tuple[EventStatus, ...]
    next_cursor: int | None
    pruned_at: datetime | None = None


def read_event(connection: psycopg.Connection[Any], event_id: str) -> EventStatus | None:
    """Returns an event and what became of it; None if the outbox has no such event."""
    found = _read_events(connection, load(__package__, "read_event.sql"), {"event_id": event_id})
    return found[0] if found else None


def read_timeline(
    connection: psycopg.Connection[Any],
    aggregate_type: str,
    aggregate_id: str,
    *,
    cursor: int = 0,
    limit: int = 50,
    related: bool = False,
) -> Timeline:
    """Returns up to `limit` (1 to 500) events of one aggregate after `cursor`, oldest first.

    cursor: `next_cursor` of the page before, 0 for the first.
    related: also events of other aggregates that share a correlationId with one of this one's.
    Events that `publish` wrote never appear before a cursor that has passed them; related ones may,
    since other aggregates commit in their own time.
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
    found = _read_events(connection, load(__package__, "read_timeline.sql"), parameters)
    events = tuple(found[:limit])
    next_cursor = events[-1].seq if len(found) > limit else None
    row = connection.execute(
        load(__package__, "find_last_prune.sql"), {"after": cursor, "through": next_cursor}
    ).fetchone()
    return Timeline(events, next_cursor, row[0] if row else None)


def _read_events(
    connection: psycopg.Connection[Any], query: bytes, parameters: Mapping[str, Any]
) -> list[EventStatus]:
    """Runs a query that returns the columns of EventStatus."""
    with connection.cursor(row_factory=class_row(EventStatus)) as cursor:
        set_json_loads(_json_or_string, cursor)
        return cursor.execute(query, parameters).fetchall()


def _json_or_string(raw: str | bytes) -> Any:
    string = raw if isinstance(raw, str) else raw.decode()
    try:
        value = json.loads(string)
    except (RecursionError, ValueError):  # the latter for integers of thousands of digits
        return string
    return string if json_too_deep(value) else value
