"""The groups of the catalog: their tables, audit rows and events, in one transaction each."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from consumers import billing, fulfillment, timeline
from relay.consume import Group
from relay.consume.attempt import AttemptFailed, Attempts
from relay.consume.decode import Decoder
from relay.consume.inbox import Verdict
from relay.consume.majors import Majors
from relay.consume.record import Record
from relay.consume.time_limit import Handlings
from relay.events import DomainEvent
from relay.schema.avro.encoder import compile_encoder
from schemas import EVENT_CLASSES
from schemas.orders.events import OrderPaid, OrderPaymentFailed
from tests.integration.consuming import server_of

CLASSES = list(EVENT_CLASSES.values())


class CatalogSchemas:
    """Writer schemas by their place in the catalog's list of classes."""

    def schema(self, schema_id: int) -> dict[str, Any]:
        return CLASSES[schema_id].SCHEMA


@pytest.fixture
def connection(database_url: str) -> psycopg.Connection[Any]:
    connection = psycopg.connect(database_url, autocommit=True)
    for module in (billing, fulfillment, timeline):
        module.create_tables(connection)
        module.create_tables(connection)
    return connection


def record_of(event: DomainEvent, event_id: str, offset: int = 0) -> Record:
    body = compile_encoder(event.SCHEMA)(event.to_json())
    headers = {
        "ce_id": event_id,
        "ce_type": event.EVENT_TYPE,
        "ce_subject": event.aggregate_id,
        "ce_time": event.occurred_at.isoformat(),
        "ce_correlationid": "checkout-7",
        "ce_actorid": "customer-1",
    }
    return Record.read(
        "events.orders",
        0,
        offset,
        key=event.aggregate_id.encode(),
        value=struct.pack(">bI", 0, CLASSES.index(type(event))) + body,
        headers=tuple((name, text.encode()) for name, text in headers.items()),
    )


def run(connection: psycopg.Connection[Any], group: Group, *records: Record) -> list[Verdict]:
    attempts = Attempts(group, Decoder(CatalogSchemas(), Majors(set(), {})), 6_000, Handlings(60))
    return attempts.live(connection, [(record, 1) for record in records], server_of(connection))


def paid(order_id: str) -> OrderPaid:
    return OrderPaid(
        aggregate_id=order_id,
        payment_id="p1",
        customer_id="customer-1",
        provider="STRIPE",
        method="CARD",
        amount=Decimal("119.00"),
        currency="EUR",
        paid_at=datetime(2026, 5, 4, 12, tzinfo=UTC),
    )


def test_a_paid_order_gets_a_fulfillment_and_a_drafted_shipment_with_their_events(
    connection: psycopg.Connection[Any],
) -> None:
    run(connection, fulfillment.group, record_of(paid("o1"), "paid-1"))
    run(connection, fulfillment.group, record_of(paid("o1"), "paid-1"))
    run(connection, fulfillment.group, record_of(paid("o1"), "paid-again", 1))

    (row,) = connection.execute(
        "select f.id, s.id from fulfillment.fulfillments f "
        "join fulfillment.shipments s on s.fulfillment_id = f.id and s.order_id = 'o1'"
    ).fetchall()
    events = connection.execute(
        "select event_type, aggregate_id, metadata->>'causationId', metadata->>'correlationId', "
        "metadata->>'actorId' from outbox.domain_events order by seq"
    ).fetchall()
    context = ("paid-1", "checkout-7", "customer-1")
    assert events == [
        ("FulfillmentCreated", row[0], *context),
        ("ShipmentDrafted", row[1], *context),
    ]
    audit = connection.execute(
        "select event, caused_by from fulfillment.fulfillment_events "
        "union all select event, caused_by from fulfillment.shipment_events"
    ).fetchall()
    assert audit == [("FulfillmentCreated", "paid-1"), ("ShipmentDrafted", "paid-1")]


def test_a_paid_order_gets_one_invoice_with_its_event(
    connection: psycopg.Connection[Any],
) -> None:
    run(connection, billing.group, record_of(paid("o1"), "paid-1"))
    run(connection, billing.group, record_of(paid("o2"), "paid-2"), record_of(paid("o1"), "x", 2))

    invoices = connection.execute(
        "select order_id, invoice_number, gross_amount from billing.invoices order by 2"
    ).fetchall()
    assert invoices == [
        ("o1", "2026-0000001", Decimal("119.00")),
        ("o2", "2026-0000002", Decimal("119.00")),
    ]
    events = connection.execute(
        "select event_type, payload->>'netAmount', payload->>'taxAmount', metadata->>'causationId' "
        "from outbox.domain_events order by seq"
    ).fetchall()
    assert events == [
        ("InvoiceIssued", "100.00", "19.00", "paid-1"),
        ("InvoiceIssued", "100.00", "19.00", "paid-2"),
    ]


def test_a_failed_attempt_leaves_neither_effects_nor_events_nor_an_inbox_row(
    connection: psycopg.Connection[Any],
) -> None:
    group = Group("fulfillment")

    @group.handles(OrderPaid)
    def act_and_fail(event: OrderPaid, context: Any) -> None:
        fulfillment.order_paid(event, context)
        raise RuntimeError("after the effects")

    with pytest.raises(AttemptFailed) as failed:
        run(connection, group, record_of(paid("o1"), "paid-1"))

    assert (failed.value.index, failed.value.failure.stage) == (0, "handle")
    for table in ("fulfillment.fulfillments", "outbox.domain_events", "inbox.processed"):
        assert connection.execute(f"select count(*) from {table}").fetchone() == (0,)


def test_the_timeline_has_one_entry_an_event(connection: psycopg.Connection[Any]) -> None:
    failed = OrderPaymentFailed(
        aggregate_id="o1",
        payment_id="p1",
        provider="STRIPE",
        method="CARD",
        amount=Decimal("119.00"),
        currency="EUR",
        reason="INSUFFICIENT_FUNDS",
        failed_at=datetime(2026, 5, 4, 11, tzinfo=UTC),
        attempt=1,
    )
    records = [record_of(failed, "failed-1"), record_of(paid("o1"), "paid-1", 1)]
    run(connection, timeline.group, *records)
    run(connection, timeline.group, *records)

    entries = connection.execute(
        "select order_id, event_id, title from timeline.entries order by position"
    ).fetchall()
    assert entries == [
        ("o1", "failed-1", "Payment failed: insufficient funds"),
        ("o1", "paid-1", "Paid: 119.00 EUR by card"),
    ]


def test_groups_want_what_the_catalog_says_they_want() -> None:
    from relay.schema.catalog import Catalog

    wanted = Catalog.load("schemas").groups
    for module in (billing, fulfillment, timeline):
        listed = {name for names in wanted[module.group.name].values() for name in names}
        assert set(module.group.subscriptions) == listed
