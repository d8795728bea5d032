"""Orders: written through a SQLAlchemy Session with mapped classes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import ForeignKey, Identity
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from relay import DomainEventBus
from schemas.orders.events import (
    OrderLine,
    OrdersEvent,
    order_checkout_expired,
    order_checkout_sent,
    order_created,
)

__all__ = ["NewOrder", "expire", "place", "send_checkout"]

CHECKOUT_LASTS = timedelta(hours=24)


class Base(DeclarativeBase):
    """The tables of this service."""


class Order(Base):
    """An order as it stands now."""

    __tablename__ = "orders"
    __table_args__ = {"schema": "shop"}  # noqa: RUF012

    id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[str]
    customer_id: Mapped[str]
    recipient: Mapped[str]
    total: Mapped[Decimal]
    currency: Mapped[str]
    state: Mapped[str]
    checkout_id: Mapped[str | None]


class OrderEvent(Base):
    """One audit row: what was done to an order, by whom, and the event that tells of it."""

    __tablename__ = "order_events"
    __table_args__ = {"schema": "shop"}  # noqa: RUF012

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("shop.orders.id"))
    what: Mapped[str]
    event_id: Mapped[str]
    by_whom: Mapped[str]


@dataclass(frozen=True)
class NewOrder:
    """What a customer orders. lines: sku, pieces, price of one without tax."""

    id: str
    number: str
    customer_id: str
    recipient: str
    lines: tuple[tuple[str, int, Decimal], ...]
    total: Decimal
    currency: str = "EUR"


def place(session: Session, order: NewOrder) -> str:
    """Takes an order; the id of order.created."""
    session.add(
        Order(
            id=order.id,
            number=order.number,
            customer_id=order.customer_id,
            recipient=order.recipient,
            total=order.total,
            currency=order.currency,
            state="placed",
        )
    )
    event = order_created(
        order.id,
        order_number=order.number,
        customer_id=order.customer_id,
        channel="WEB",
        lines=[OrderLine(sku=sku, quantity=n, unit_price=price) for sku, n, price in order.lines],
        total=order.total,
        currency=order.currency,
    )
    return _tell(session, event, by_whom=order.customer_id)


def send_checkout(session: Session, order_id: str) -> str:
    """Sends the customer the link to pay under; the id of order.checkout_sent."""
    order = session.get_one(Order, order_id, with_for_update=True)
    order.state, order.checkout_id = "checkout_sent", f"checkout-{order.number}"
    event = order_checkout_sent(
        order.id,
        checkout_id=order.checkout_id,
        checkout_url=f"https://shop.example/checkout/{order.number}",
        recipient=order.recipient,
        amount=order.total,
        currency=order.currency,
        expires_at=datetime.now(UTC) + CHECKOUT_LASTS,
    )
    return _tell(session, event, by_whom="checkout")


def expire(session: Session, order_id: str) -> str:
    """Gives an unpaid order up; the id of order.checkout_expired."""
    order = session.get_one(Order, order_id, with_for_update=True)
    order.state = "expired"
    event = order_checkout_expired(
        order.id,
        checkout_id=order.checkout_id or "",
        recipient=order.recipient,
        amount=order.total,
        currency=order.currency,
        expired_at=datetime.now(UTC),
        reminders_sent=2,
    )
    return _tell(session, event, by_whom="checkout")


def _tell(session: Session, event: OrdersEvent, by_whom: str) -> str:
    """The event and its audit row, in the transaction of the change."""
    event_id = DomainEventBus.publish(session, event)
    session.add(
        OrderEvent(
            order_id=event.aggregate_id,
            what=event.EVENT_TYPE,
            event_id=event_id,
            by_whom=by_whom,
        )
    )
    return event_id
