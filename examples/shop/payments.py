"""Payments: written through a psycopg connection with plain SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg

from relay import DomainEventBus
from schemas.orders.events import (
    OrdersEvent,
    PaymentFailureReason,
    PaymentMethod,
    PaymentProvider,
    order_paid,
    order_payment_failed,
    order_payment_processing,
)

__all__ = ["Payment", "capture", "decline", "start"]


@dataclass(frozen=True)
class Payment:
    """One try of a customer to pay an order. attempt: counted from 1."""

    order_id: str
    customer_id: str
    attempt: int
    amount: Decimal
    currency: str = "EUR"
    provider: PaymentProvider = "STRIPE"
    method: PaymentMethod = "CARD"

    @property
    def id(self) -> str:
        """Id of the payment."""
        return f"payment-{self.order_id}-{self.attempt}"


def start(connection: psycopg.Connection[Any], payment: Payment) -> str:
    """Hands a payment to its provider; the id of order.payment_processing."""
    connection.execute(
        "insert into shop.payments (id, order_id, customer_id, attempt, provider, method, amount, "
        "currency, state) values (%s, %s, %s, %s, %s, %s, %s, %s, 'processing')",
        (
            payment.id,
            payment.order_id,
            payment.customer_id,
            payment.attempt,
            payment.provider,
            payment.method,
            payment.amount,
            payment.currency,
        ),
    )
    event = order_payment_processing(
        payment.order_id,
        payment_id=payment.id,
        provider=payment.provider,
        method=payment.method,
        amount=payment.amount,
        currency=payment.currency,
        started_at=datetime.now(UTC),
    )
    return _tell(connection, payment, event)


def capture(connection: psycopg.Connection[Any], payment: Payment) -> str:
    """Notes that the money is there; the id of order.paid."""
    _settle(connection, payment, "captured")
    event = order_paid(
        payment.order_id,
        payment_id=payment.id,
        customer_id=payment.customer_id,
        provider=payment.provider,
        method=payment.method,
        amount=payment.amount,
        currency=payment.currency,
        paid_at=datetime.now(UTC),
        attempt=payment.attempt,
    )
    return _tell(connection, payment, event)


def decline(
    connection: psycopg.Connection[Any], payment: Payment, reason: PaymentFailureReason
) -> str:
    """Notes that a payment did not work; the id of order.payment_failed."""
    _settle(connection, payment, "declined")
    event = order_payment_failed(
        payment.order_id,
        payment_id=payment.id,
        provider=payment.provider,
        method=payment.method,
        amount=payment.amount,
        currency=payment.currency,
        reason=reason,
        failed_at=datetime.now(UTC),
        attempt=payment.attempt,
    )
    return _tell(connection, payment, event)


def _settle(connection: psycopg.Connection[Any], payment: Payment, state: str) -> None:
    settled = connection.execute(
        "update shop.payments set state = %s where id = %s and state = 'processing'",
        (state, payment.id),
    ).rowcount
    if not settled:
        raise LookupError(f"payment {payment.id} is not being processed")


def _tell(connection: psycopg.Connection[Any], payment: Payment, event: OrdersEvent) -> str:
    """The event and its audit row, in the transaction of the change."""
    event_id = DomainEventBus.publish(connection, event)
    connection.execute(
        "insert into shop.payment_events (payment_id, what, event_id) values (%s, %s, %s)",
        (payment.id, event.EVENT_TYPE, event_id),
    )
    return event_id
