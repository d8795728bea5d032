"""Timeline: one entry for each event that tells people something about an order or shipment."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from relay import Context, Group
from relay.events import DomainEvent
from schemas.automation.events import (
    AutomationStepFailed,
    AutomationStepQueued,
    AutomationStepSucceeded,
)
from schemas.orders.events import OrderCreated, OrderPaid, OrderPaymentFailed
from schemas.shipments.events import (
    ShipmentDelivered,
    ShipmentDrafted,
    ShipmentInTransit,
    ShipmentReady,
)

__all__ = ["create_tables", "group"]

TABLES = """
create schema if not exists timeline;
create table if not exists timeline.entries (
    event_id       text        primary key,
    event_type     text        not null,
    aggregate_type text        not null,
    aggregate_id   text        not null,
    order_id       text,
    title          text        not null,
    details        jsonb       not null,
    occurred_at    timestamptz not null,
    position       bigint      generated always as identity
);
create index if not exists entries_of_aggregate
    on timeline.entries (aggregate_type, aggregate_id, occurred_at);
"""

group = Group("timeline")


def create_tables(connection: psycopg.Connection[Any]) -> None:
    """Creates the group's tables; doing it again changes nothing."""
    connection.execute(TABLES)


@group.handles(OrderCreated)
def order_created(event: OrderCreated, context: Context) -> None:
    """An order was placed."""
    _enter(event, context, f"Order {event.order_number} placed: {event.total} {event.currency}")


@group.handles(OrderPaid)
def order_paid(event: OrderPaid, context: Context) -> None:
    """An order was paid."""
    _enter(event, context, f"Paid: {event.amount} {event.currency} by {event.method.lower()}")


@group.handles(OrderPaymentFailed)
def payment_failed(event: OrderPaymentFailed, context: Context) -> None:
    """A payment did not work."""
    _enter(event, context, f"Payment failed: {event.reason.lower().replace('_', ' ')}")


@group.handles(ShipmentDrafted, ShipmentReady, ShipmentInTransit, ShipmentDelivered)
def shipment_moved(
    event: ShipmentDrafted | ShipmentReady | ShipmentInTransit | ShipmentDelivered,
    context: Context,
) -> None:
    """A shipment took its next step."""
    step = event.EVENT_TYPE.removeprefix("Shipment")
    _enter(event, context, f"Shipment {step.lower()} with {event.carrier}")


@group.handles(AutomationStepQueued, AutomationStepSucceeded, AutomationStepFailed)
def automation_step(
    event: AutomationStepQueued | AutomationStepSucceeded | AutomationStepFailed, context: Context
) -> None:
    """An automation did something for a shipment."""
    step = event.EVENT_TYPE.removeprefix("AutomationStep")
    _enter(event, context, f"Automation step {step.lower()}")


def _enter(event: DomainEvent, context: Context, title: str) -> None:
    details = event.to_json()
    order_id = event.aggregate_id if event.AGGREGATE_TYPE == "order" else details.get("orderId")
    context.connection.execute(
        "insert into timeline.entries (event_id, event_type, aggregate_type, aggregate_id, "
        "order_id, title, details, occurred_at) values (%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            context.event_id,
            context.event_type,
            event.AGGREGATE_TYPE,
            event.aggregate_id,
            order_id,
            title,
            Jsonb(details),
            event.occurred_at,
        ),
    )
