"""What happened to one event: its row, its place in Kafka, and every consumer group."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import set_json_loads

from relay.errors import SchemaUnknown
from relay.kafka.headers import timestamp
from relay.kafka.offsets import Partition
from relay.postgres.sqlfile import load
from relay.schema.avro.depth import json_too_deep
from relay.schema.catalog import Catalog

__all__ = ["Delivery", "GroupState", "GroupView", "PublishedCopy", "XRay", "look"]

# Groups and a partition -> the offsets they have committed there; groups without any left out.
Committed = Callable[[list[str], Partition], Mapping[str, int]]


class GroupState(StrEnum):
    """Where an event stands in a consumer group.

    processed: the inbox has it, so the handler has run. passed: only the group's offset is
    beyond it. parked: tried again by itself. dead: given up or discarded. resolved: dead
    once, then processed.
    """

    WAITING = "waiting"
    PROCESSED = "processed"
    PASSED = "passed"
    PARKED = "parked"
    DEAD = "dead"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of outbox.domain_event_status.

    payload, metadata: as text where Python can't read the JSON, or not write it again.
    delivery_state: pending, delivered, failing, held or dead.
    """

    id: str
    seq: int
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


@dataclass(frozen=True, slots=True)
class GroupView:
    """One consumer group's view. dlq: topic, partition and offset of its dead letter."""

    group: str
    state: GroupState
    attempts: int = 0
    error: str | None = None
    dlq: tuple[str, int, int] | None = None

    def to_json(self) -> dict[str, Any]:
        """As `relay event show --json` has it."""
        return {
            "group": self.group,
            "state": self.state.value,
            "attempts": self.attempts,
            "error": self.error,
            "dlq": self.dlq and dict(zip(("topic", "partition", "offset"), self.dlq, strict=True)),
        }


@dataclass(frozen=True, slots=True)
class PublishedCopy:
    """Where the event is under another major version. offset: None where it is not known."""

    major: int
    topic: str
    partition: int | None
    kafka_offset: int | None

    def to_json(self) -> dict[str, Any]:
        """As `relay event show --json` has it."""
        return {
            "major": self.major,
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.kafka_offset,
        }


@dataclass(frozen=True, slots=True)
class XRay:
    """An event with everything that is known of it."""

    delivery: Delivery
    copies: tuple[PublishedCopy, ...]
    groups: tuple[GroupView, ...]

    def to_json(self) -> dict[str, Any]:
        """As `relay event show --json` has it; timestamps RFC 3339 in UTC."""
        event = self.delivery
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
                **({"copies": [copy.to_json() for copy in self.copies]} if self.copies else {}),
            },
            "groups": [group.to_json() for group in self.groups],
        }


@dataclass(frozen=True, slots=True)
class _Trace:
    """What inbox and outcomes record of the event in one group."""

    group: str
    processed_attempts: int | None = None
    parked_attempts: int | None = None
    parked_error: str | None = None
    dead_letter_state: str | None = None
    dead_letter_attempts: int | None = None
    dead_letter_error: str | None = None
    outcome_state: str | None = None
    outcome_attempts: int | None = None
    outcome_error: str | None = None
    dlq_topic: str | None = None
    dlq_partition: int | None = None
    dlq_offset: int | None = None

    def view(self) -> GroupView | None:
        """None where only the group's offset can tell."""
        attempts = max(self.dead_letter_attempts or 0, self.outcome_attempts or 0)
        error = self.dead_letter_error or self.outcome_error
        dlq = None
        if None not in (self.dlq_topic, self.dlq_partition, self.dlq_offset):
            dlq = (self.dlq_topic, self.dlq_partition, self.dlq_offset)

        def view(state: GroupState, attempts: int, error: str | None) -> GroupView:
            return GroupView(self.group, state, attempts, error, dlq)  # type: ignore[arg-type]

        # The inbox is written with the effects; outcomes come later, and from other databases too.
        if self.parked_attempts is not None:
            return view(GroupState.PARKED, self.parked_attempts, self.parked_error or error)
        if self.dead_letter_state == "resolved":
            return view(GroupState.RESOLVED, attempts, error)
        if self.processed_attempts is not None:
            resolved = self.outcome_state is not None or self.dead_letter_state is not None
            state = GroupState.RESOLVED if resolved else GroupState.PROCESSED
            return view(state, max(attempts, self.processed_attempts), error)
        if self.dead_letter_state == "replayed":
            return view(GroupState.WAITING, attempts, error)
        if self.dead_letter_state is not None:
            return view(GroupState.DEAD, attempts, error)
        if self.outcome_state is not None:
            return view(GroupState(self.outcome_state), attempts, error)
        return None


def look(
    connection: psycopg.Connection[Any], catalog: Catalog, event_id: str, committed: Committed
) -> XRay | None:
    """Everything about an event; None when the outbox has no such event.

    Groups are those that the catalog names for its major versions, and those that left a trace.
    committed: called only where neither inbox nor outcomes know. Raises what it raises.
    """
    parameters = {"event_id": event_id}
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        set_json_loads(_json_or_text, cursor)
        cursor.execute(load(__package__, "read_event.sql"), parameters)
        delivery = cursor.fetchone()
    if delivery is None:
        return None
    with connection.cursor(row_factory=class_row(PublishedCopy)) as cursor:
        copies = tuple(cursor.execute(load(__package__, "read_copies.sql"), {"seq": delivery.seq}))
    with connection.cursor(row_factory=class_row(_Trace)) as cursor:
        cursor.execute(load(__package__, "read_traces.sql"), parameters)
        traces = {trace.group: trace for trace in cursor}
    try:
        majors = catalog.family(delivery.event_type)
        wanted = {group for event_type in majors for group in event_type.groups}
    except SchemaUnknown:
        wanted = set[str]()
    groups = {
        group: traces[group].view() if group in traces else None
        for group in sorted({*wanted, *traces})
    }
    unknown = [group for group, view in groups.items() if view is None]
    passed: Mapping[str, int] = {}
    offset = delivery.kafka_offset
    if unknown and offset is not None and delivery.topic and delivery.partition is not None:
        passed = committed(unknown, (delivery.topic, delivery.partition))
    return XRay(
        delivery,
        copies,
        tuple(
            view
            or GroupView(
                group,
                GroupState.PASSED
                if offset is not None and passed.get(group, 0) > offset
                else GroupState.WAITING,
            )
            for group, view in groups.items()
        ),
    )


def _json_or_text(text: str | bytes) -> Any:
    as_text = text if isinstance(text, str) else text.decode()
    try:
        value = json.loads(text)
    except (RecursionError, ValueError):  # the latter for integers of thousands of digits
        return as_text
    return as_text if json_too_deep(value) else value
