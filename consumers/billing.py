"""Billing: a paid order gets an invoice, whose numbers have no gaps."""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from relay import Context, Group
from relay.outbox.ids import new_id
from schemas.billing.events import InvoiceIssued
from schemas.orders.events import OrderPaid

__all__ = ["create_tables", "group"]

TAX_RATE = Decimal("0.19")
CENT = Decimal("0.01")
TERM = timedelta(days=14)

TABLES = """
create schema if not exists billing;
-- A sequence would leave gaps behind transactions that are rolled back.
create table if not exists billing.last_number (
    only_one boolean primary key default true check (only_one),
    number   bigint  not null
);
insert into billing.last_number (number) values (0) on conflict do nothing;
create table if not exists billing.invoices (
    id             text           primary key,
    invoice_number text           not null unique,
    order_id       text           not null unique,
    customer_id    text           not null,
    gross_amount   numeric(14, 2) not null,
    currency       text           not null,
    issued_on      date           not null,
    state          text           not null default 'issued'
);
create table if not exists billing.invoice_events (
    id         bigint      generated always as identity primary key,
    invoice_id text        not null references billing.invoices,
    event      text        not null,
    caused_by  text        not null,
    details    jsonb       not null,
    at         timestamptz not null default now()
);
"""

# The number's row is locked until the commit, so long batches would only make others wait.
group = Group("billing", batch=20)


def create_tables(connection: psycopg.Connection[Any]) -> None:
    """Creates the group's tables; doing it again changes nothing."""
    connection.execute(TABLES)


@group.handles(OrderPaid)
def order_paid(event: OrderPaid, context: Context) -> None:
    """Issues the invoice of a paid order; an order that has one gets no second."""
    connection, order_id = context.connection, event.aggregate_id
    if connection.execute(
        "select 1 from billing.invoices where order_id = %s", (order_id,)
    ).fetchone():
        return
    net = (event.amount / (1 + TAX_RATE)).quantize(CENT, ROUND_HALF_UP)
    invoice = InvoiceIssued(
        aggregate_id=new_id(),
        invoice_number=_next_number(connection, event.paid_at.year),
        order_id=order_id,
        customer_id=event.customer_id,
        net_amount=net,
        tax_amount=event.amount - net,
        gross_amount=event.amount,
        currency=event.currency,
        issued_on=event.paid_at.date(),
        due_on=event.paid_at.date() + TERM,
    )
    connection.execute(
        "insert into billing.invoices (id, invoice_number, order_id, customer_id, gross_amount, "
        "currency, issued_on) values (%s, %s, %s, %s, %s, %s, %s)",
        (
            invoice.aggregate_id,
            invoice.invoice_number,
            order_id,
            invoice.customer_id,
            invoice.gross_amount,
            invoice.currency,
            invoice.issued_on,
        ),
    )
    connection.execute(
        "insert into billing.invoice_events (invoice_id, event, caused_by, details) "
        "values (%s, %s, %s, %s)",
        (invoice.aggregate_id, invoice.EVENT_TYPE, context.event_id, Jsonb(invoice.to_json())),
    )
    context.publish(invoice)


def _next_number(connection: psycopg.Connection[Any], year: int) -> str:
    row = connection.execute(
        "update billing.last_number set number = number + 1 returning number"
    ).fetchone()
    assert row is not None, "billing.create_tables was not run"
    return f"{year}-{row[0]:07d}"
