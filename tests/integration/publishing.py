"""An event and small reads that the tests of publishing share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from relay.events import DomainEvent

NOTED_SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "OrderNoted",
    "namespace": "relay.events.tests",
    "fields": [
        {"name": "orderId", "type": "string"},
        {"name": "note", "type": "string"},
        {"name": "labels", "type": {"type": "map", "values": "string"}, "default": {}},
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNoted(DomainEvent):
    """Somebody wrote a note on an order."""

    EVENT_TYPE = "order.noted"
    AGGREGATE_TYPE = "order"
    SCHEMA = NOTED_SCHEMA
    SOURCE_MODULE = "orders"

    order_id: str
    note: str
    labels: dict[str, str]


def noted(order_id: str = "order-1", note: Any = "call first", **others: Any) -> OrderNoted:
    """A note on an order, which is its aggregate."""
    given = {"aggregate_id": order_id, "labels": {}, **others}
    return OrderNoted(order_id=order_id, note=note, **given)


def rows(url: str) -> list[dict[str, Any]]:
    """All committed rows of the outbox in order of seq."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute("select * from outbox.domain_events order by seq").fetchall()


def notes(url: str) -> list[str]:
    """The notes of all committed events in order of seq."""
    return [row["payload"]["note"] for row in rows(url)]
