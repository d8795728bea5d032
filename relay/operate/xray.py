"""What happened to one event: its row, its place in Kafka, and every consumer group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row

from relay.errors import SchemaUnknown
from relay.kafka.headers import timestamp
from relay.kafka.offsets import Partition
from relay.operate.timeline import EventStatus, read_event
from relay.postgres.sqlfile import load
from relay.schema.catalog import Catalog

__all__ = ["GroupView", "PublishedCopy", "XRay", "look"]

# Groups and a partition -> the offsets they have committed there; groups without any left out.
Committed = Callable[[list[str], Partition], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class GroupView:
    """The event in one consumer group. dlq: topic, partition and offset of its dead letter.

    state: `waiting`; `processed` (the inbox has it, so the handler has run); `passed` (only the
    group's offset is beyond it); `parked` (will be retried); `dead` (discarded ones too);
    `resolved` (dead once, then processed).
    """

    group: str
    state: str
    attempts: int = 0
    error: str | None = None
    dlq: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class PublishedCopy:
    """Where the event is under another major version. offset: None if it is not known."""

    major: int
    topic: str
    partition: int | None
    offset: int | None


@dataclass(frozen=True, slots=True)
class XRay:
    """An event with everything that is known about it."""

    event: EventStatus
    copies: tuple[PublishedCopy, ...]
    groups: tuple[GroupView, ...]

    def to_json(self) -> dict[str, Any]:
        """The document of `relay event show --json`; timestamps RFC 3339 in UTC."""
        event = self.event
        return {
            "event": {
                "id": event.id,
                "eventType": event.event_type,
                "schemaVersion": event.schema_version,
                "aggregateType": event.aggregate_type,
                "aggregateId": event.aggregate_id,
                "payload": event.payload,
                "metadata": event.metadata,
                "occurredAt": timestamp(event.occurred_at),
                "createdAt": timestamp(event.created_at),
            },
            "delivery": {
                "topic": event.topic,
                "partition": event.partition,
                "offset": event.kafka_offset,
                "delivered_at": timestamp(event.delivered_at) if event.delivered_at else None,
                "attempts": event.delivery_attempts,
                "dead_letter": event.dead_letter,
                "error": event.last_error,
                **({"discarded": self._discarded()} if event.discard_reason else {}),
                **({"copies": [asdict(copy) for copy in self.copies]} if self.copies else {}),
            },
            "groups": [asdict(group) for group in self.groups],
        }

    def _discarded(self) -> dict[str, str | None]:
        at = self.event.discarded_at
        return {"reason": self.event.discard_reason, "at": timestamp(at) if at else None}


def look(
    connection: psycopg.Connection[Any], catalog: Catalog, event_id: str, committed: Committed
) -> XRay | None:
    """Returns everything about an event, or None if the outbox has no such event.

    Groups are those that the catalog names for its major versions, and those that left a trace.
    committed: called only for groups without a trace in inbox and outcomes. Raises what it raises.
    """
    event = read_event(connection, event_id)
    if event is None:
        return None
    with connection.cursor(row_factory=class_row(PublishedCopy)) as cursor:
        copies = tuple(cursor.execute(load(__package__, "read_copies.sql"), {"seq": event.seq}))
    with connection.cursor(row_factory=class_row(GroupView)) as cursor:
        cursor.execute(load(__package__, "read_traces.sql"), {"event_id": event_id})
        groups = {view.group: view for view in cursor}
    unknown = sorted(_wanting(catalog, event.event_type) - groups.keys())
    passed: Mapping[str, int] = {}
    offset = event.kafka_offset
    if unknown and offset is not None and event.topic and event.partition is not None:
        passed = committed(unknown, (event.topic, event.partition))
    for group in unknown:
        is_passed = offset is not None and passed.get(group, 0) > offset
        groups[group] = GroupView(group, "passed" if is_passed else "waiting")
    return XRay(event, copies, tuple(groups[group] for group in sorted(groups)))


def _wanting(catalog: Catalog, event_type: str) -> set[str]:
    try:
        return {group for major in catalog.family(event_type) for group in major.groups}
    except SchemaUnknown:
        return set()
