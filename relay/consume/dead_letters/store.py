"""Dead letters as an operator sees them, and the query that finds them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from relay.kafka import headers as names
from relay.postgres.sqlfile import load

__all__ = [
    "ALL_STATES",
    "LONGEST_REASON",
    "OPEN_STATES",
    "RELAY",
    "DeadLetter",
    "Filter",
    "find",
]

# The group name of events that the relay could not publish.
RELAY: Final = "relay"
# Characters of a reason to discard, which position records carry.
LONGEST_REASON: Final = 500
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
class DeadLetter:
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
    discard_reason: str | None
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
        if self.discard_reason is not None:
            found["discard_reason"] = self.discard_reason
        if details:
            pairs = zip(self.header_names or (), self.header_values or (), strict=True)
            found["stacktrace"] = self.stacktrace
            found["headers"] = {
                name: None if value is None else value.decode("utf-8", "replace")
                for name, value in pairs
            }
            found["value"] = None if self.value is None else base64.b64encode(self.value).decode()
        return found


def find(connection: psycopg.Connection[Any], wanted: Filter) -> list[DeadLetter]:
    """Dead letters of all groups and of the relay, in the order of their failures."""
    with connection.cursor(row_factory=class_row(DeadLetter)) as cursor:
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


def _place(topic: str | None, partition: int | None, offset: int | None) -> dict[str, Any] | None:
    if topic is None or offset is None:
        return None
    return {"topic": topic, "partition": partition, "offset": offset}
