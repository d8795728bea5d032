"""Price agreements: written through a SQLAlchemy Connection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import Connection, text

from relay import DomainEventBus
from schemas.pricing.events import (
    PricingEvent,
    price_agreement_created,
    price_agreement_updated,
)

__all__ = ["Agreement", "agree", "change"]


@dataclass(frozen=True)
class Agreement:
    """A price that a customer was promised. unit_price: without tax."""

    id: str
    customer_id: str
    sku: str
    unit_price: Decimal
    currency: str = "EUR"
    valid_from: date = date(2026, 1, 1)


def agree(connection: Connection, agreement: Agreement) -> str:
    """Writes an agreement down; the id of PriceAgreementCreated."""
    connection.execute(
        text(
            "insert into shop.price_agreements (id, customer_id, sku, unit_price, currency, "
            "valid_from, revision) values (:id, :customer, :sku, :price, :currency, :since, 1)"
        ),
        {
            "id": agreement.id,
            "customer": agreement.customer_id,
            "sku": agreement.sku,
            "price": agreement.unit_price,
            "currency": agreement.currency,
            "since": agreement.valid_from,
        },
    )
    event = price_agreement_created(
        agreement.id,
        customer_id=agreement.customer_id,
        sku=agreement.sku,
        unit_price=agreement.unit_price,
        currency=agreement.currency,
        valid_from=agreement.valid_from,
    )
    return _tell(connection, event)


def change(connection: Connection, agreement: Agreement, unit_price: Decimal) -> str:
    """Gives an agreement another price; the id of PriceAgreementUpdated."""
    revision = connection.execute(
        text(
            "update shop.price_agreements set unit_price = :price, revision = revision + 1 "
            "where id = :id returning revision"
        ),
        {"price": unit_price, "id": agreement.id},
    ).scalar_one()
    event = price_agreement_updated(
        agreement.id,
        customer_id=agreement.customer_id,
        sku=agreement.sku,
        unit_price=unit_price,
        previous_unit_price=agreement.unit_price,
        currency=agreement.currency,
        valid_from=agreement.valid_from,
        revision=revision,
    )
    return _tell(connection, event)


def _tell(connection: Connection, event: PricingEvent) -> str:
    """The event and its audit row, in the transaction of the change."""
    event_id = DomainEventBus.publish(connection, event)
    connection.execute(
        text(
            "insert into shop.price_agreement_events (agreement_id, what, event_id) "
            "values (:agreement, :what, :event)"
        ),
        {"agreement": event.aggregate_id, "what": event.EVENT_TYPE, "event": event_id},
    )
    return event_id
