"""The consumer group of the measurements, as a team would write it: one row an event."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from relay.bench import event
from relay.consume import Context, Group
from relay.events import DomainEvent

__all__ = ["GROUP", "OrderPlaced", "group", "insert", "insert_all"]

GROUP = "bench"
# Set by the scenario.
DOMAIN_VARIABLE = "RELAY_BENCH_DOMAIN"
BATCH_VARIABLE = "RELAY_BENCH_BATCH"
ALL_VARIABLE = "RELAY_BENCH_ALL"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced(DomainEvent):
    """The event of the measurements."""

    EVENT_TYPE: ClassVar[str] = event.EVENT_TYPE
    AGGREGATE_TYPE: ClassVar[str] = event.AGGREGATE_TYPE
    SCHEMA: ClassVar[dict[str, Any]] = event.schema(os.environ.get(DOMAIN_VARIABLE, "bench"))

    customer_id: str
    channel: str
    total: Decimal
    currency: str
    placed_at: datetime


group = Group(GROUP, batch=int(os.environ.get(BATCH_VARIABLE, "50")))


def insert_all(events: Sequence[OrderPlaced], contexts: Sequence[Context]) -> None:
    """Writes one row for each event, in one statement."""
    contexts[0].connection.execute(
        "insert into orders (id, customer_id, total, placed_at) "
        "select * from unnest(%s::text[], %s::text[], %s::numeric[], %s::timestamptz[])",
        (
            [context.event_id for context in contexts],
            [event.customer_id for event in events],
            [event.total for event in events],
            [event.placed_at for event in events],
        ),
    )


def insert(placed: OrderPlaced, context: Context) -> None:
    """Writes one row."""
    context.connection.execute(
        "insert into orders (id, customer_id, total, placed_at) values (%s, %s, %s, %s)",
        (context.event_id, placed.customer_id, placed.total, placed.placed_at),
    )


group.handles(OrderPlaced)(insert_all if os.environ.get(ALL_VARIABLE) else insert)
