"""What is known of events that `relay prune` has deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from relay.kafka.headers import timestamp
from relay.postgres.sqlfile import load

__all__ = ["PrunedEvent", "find_pruned"]


@dataclass(frozen=True, slots=True)
class PrunedEvent:
    """at: when it was deleted. months: the month of its partition, None where there was none."""

    at: datetime
    months: str | None

    def __str__(self) -> str:
        """The end of a sentence that begins with the event's id."""
        whole = f" with the partition of {self.months}" if self.months else ""
        return (
            f"was pruned at {timestamp(self.at)}{whole}: it was published and every group had read "
            "it, and its row is gone from the outbox"
        )


def find_pruned(connection: psycopg.Connection[Any], event_id: str) -> PrunedEvent | None:
    """Returns when an event was pruned; None if it was not, or so long ago that its id is no longer
    known (EVENT_BUS_PRUNED_RETENTION_DAYS)."""
    with connection.cursor(row_factory=class_row(PrunedEvent)) as cursor:
        return cursor.execute(
            load(__package__, "find_pruned.sql"), {"event_id": event_id}
        ).fetchone()
