"""Which service does a step, and in which kind of transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import psycopg
from sqlalchemy import Engine
from sqlalchemy.orm import sessionmaker

from examples.shop import legacy, orders, payments, prices
from examples.shop.demo.plan import Journey, Step

__all__ = ["RolledBack", "Services"]

DISCOUNT = Decimal("0.50")


class RolledBack(Exception):
    """A service fails right before its commit. event_id: of the event that never was."""

    def __init__(self, event_id: str) -> None:
        super().__init__(event_id)
        self.event_id = event_id


class Services:
    """The shop's services, each over the driver that it uses; for one thread."""

    def __init__(self, engine: Engine, connection: psycopg.Connection[Any]) -> None:
        self._engine = engine
        self._sessions = sessionmaker(engine)
        self._connection = connection

    def do(self, journey: Journey, step: Step, *, fail: bool = False) -> str:
        """Makes one step in one transaction; the event's id.

        fail: raise RolledBack after everything is written, so that nothing of it stays.
        """
        subject = journey.subject
        with self._transaction(step) as session:
            if isinstance(subject, orders.NewOrder):
                event_id = _do_order(session, journey, subject, step)
            elif isinstance(subject, prices.Agreement):
                event_id = _do_agreement(session, subject, step)
            else:
                function = legacy.request if step.name == "request_sync" else legacy.complete
                event_id = function(session, *subject)
            if fail:
                raise RolledBack(event_id)
        return event_id

    @contextmanager
    def _transaction(self, step: Step) -> Iterator[Any]:
        match step.name:
            case "place" | "send_checkout" | "expire":
                with self._sessions.begin() as session:
                    yield session
            case "agree" | "change_price":
                with self._engine.begin() as connection:
                    yield connection
            case _:
                with self._connection.transaction():
                    yield self._connection


def _do_order(session: Any, journey: Journey, order: orders.NewOrder, step: Step) -> str:
    match step.name:
        case "place":
            return orders.place(session, order)
        case "send_checkout":
            return orders.send_checkout(session, order.id)
        case "expire":
            return orders.expire(session, order.id)
    payment = journey.payment(step.attempt)
    match step.name:
        case "start_payment":
            return payments.start(session, payment)
        case "capture":
            return payments.capture(session, payment)
        case "decline":
            return payments.decline(session, payment, "DECLINED")
    raise ValueError(f"an order makes no step {step.name}")


def _do_agreement(connection: Any, agreement: prices.Agreement, step: Step) -> str:
    if step.name == "agree":
        return prices.agree(connection, agreement)
    return prices.change(connection, agreement, agreement.unit_price - DISCOUNT)
