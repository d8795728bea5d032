"""Fulfillment: a paid order gets a fulfillment and a drafted shipment, in one transaction."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

from relay import Context, Group
from relay.events import DomainEvent
from relay.outbox.ids import new_id
from schemas.fulfillment.events import FulfillmentCreated
from schemas.orders.events import OrderPaid
from schemas.shipments.events import ShipmentDrafted

__all__ = ["create_tables", "group"]

WAREHOUSE: Final = "BER-1"
CARRIER: Final = "DHL"

TABLES = """
create schema if not exists fulfillment;
create table if not exists fulfillment.fulfillments (
    id         text        primary key,
    order_id   text        not null unique,
    warehouse  text        not null,
    created_at timestamptz not null default now()
);
create table if not exists fulfillment.shipments (
    id             text        primary key,
    fulfillment_id text        not null references fulfillment.fulfillments,
    order_id       text        not null,
    carrier        text        not null,
    state          text        not null default 'drafted',
    created_at     timestamptz not null default now()
);
create table if not exists fulfillment.fulfillment_events (
    id             bigint      generated always as identity primary key,
    fulfillment_id text        not null references fulfillment.fulfillments,
    event          text        not null,
    caused_by      text        not null,
    details        jsonb       not null,
    at             timestamptz not null default now()
);
create table if not exists fulfillment.shipment_events (
    id          bigint      generated always as identity primary key,
    shipment_id text        not null references fulfillment.shipments,
    event       text        not null,
    caused_by   text        not null,
    details     jsonb       not null,
    at          timestamptz not null default now()
);
"""

group = Group("fulfillment")


def create_tables(connection: psycopg.Connection[Any]) -> None:
    """Creates the group's tables; doing it again changes nothing."""
    connection.execute(TABLES)


@group.handles(OrderPaid)
def order_paid(event: OrderPaid, context: Context) -> None:
    """Plans how the goods of a paid order are sent.

    A second payment of the same order finds its fulfillment there and changes nothing.
    """
    fulfillment_id, shipment_id, order_id = new_id(), new_id(), event.aggregate_id
    created = context.connection.execute(
        "insert into fulfillment.fulfillments (id, order_id, warehouse) values (%s, %s, %s) "
        "on conflict (order_id) do nothing",
        (fulfillment_id, order_id, WAREHOUSE),
    ).rowcount
    if not created:
        return
    context.connection.execute(
        "insert into fulfillment.shipments (id, fulfillment_id, order_id, carrier) "
        "values (%s, %s, %s, %s)",
        (shipment_id, fulfillment_id, order_id, CARRIER),
    )
    fulfillment = FulfillmentCreated(
        aggregate_id=fulfillment_id, order_id=order_id, warehouse=WAREHOUSE
    )
    shipment = ShipmentDrafted(
        aggregate_id=shipment_id,
        order_id=order_id,
        fulfillment_id=fulfillment_id,
        carrier=CARRIER,
    )
    _audit(context, "fulfillment", fulfillment)
    _audit(context, "shipment", shipment)
    context.publish(fulfillment)
    context.publish(shipment)


STATEMENTS = {
    "fulfillment": "insert into fulfillment.fulfillment_events "
    "(fulfillment_id, event, caused_by, details) values (%s, %s, %s, %s)",
    "shipment": "insert into fulfillment.shipment_events "
    "(shipment_id, event, caused_by, details) values (%s, %s, %s, %s)",
}


def _audit(context: Context, kind: str, event: DomainEvent) -> None:
    context.connection.execute(
        STATEMENTS[kind],
        (event.aggregate_id, event.EVENT_TYPE, context.event_id, Jsonb(event.to_json())),
    )
