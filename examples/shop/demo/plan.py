"""What happens in the demo: journeys of orders, and which handlers fail. Pure arithmetic."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from examples.shop.orders import NewOrder
from examples.shop.payments import Payment
from examples.shop.prices import Agreement

__all__ = ["FOR_GOOD", "Fault", "Journey", "Step", "StepName", "faults", "journeys"]

StepName = Literal[
    "place", "send_checkout", "expire", "start_payment", "capture", "decline", "agree",
    "change_price", "request_sync", "complete_sync",
]  # fmt: skip

ROLLED_BACK = 0.04
ORDERS_AN_AGREEMENT = 40
ORDERS_A_SYNC = 50
# More attempts than anybody makes: only the fix helps.
FOR_GOOD = 1_000_000

# Share of orders -> what happens to them, one transaction a word.
LIVES: tuple[tuple[float, tuple[StepName, ...]], ...] = (
    (0.74, ("place", "send_checkout", "start_payment", "capture")),
    (0.10, ("place", "send_checkout", "start_payment", "decline", "start_payment", "capture")),
    (0.05, ("place", "send_checkout", "start_payment", "decline", "expire")),
    (0.08, ("place", "send_checkout", "expire")),
    (0.03, ("place",)),
)  # fmt: skip

ARTICLES = (
    ("tea-assam", Decimal("7.90")),
    ("tea-sencha", Decimal("11.50")),
    ("cup-blue", Decimal("9.00")),
    ("pot-1l", Decimal("34.95")),
)
TAX = Decimal("1.19")


@dataclass(frozen=True)
class Step:
    """One transaction. rolled_back: it fails at its end the first time, and is then repeated."""

    name: StepName
    attempt: int
    rolled_back: bool


@dataclass(frozen=True)
class Journey:
    """Transactions of one aggregate, in order. subject: what their functions are called with."""

    subject: NewOrder | Agreement | tuple[str, tuple[str, ...]]
    steps: tuple[Step, ...]

    @property
    def paid(self) -> bool:
        """Whether the order is paid in the end."""
        return any(step.name == "capture" for step in self.steps)

    def payment(self, attempt: int) -> Payment:
        """The order's payment, by its attempt."""
        assert isinstance(self.subject, NewOrder), "only orders are paid"
        order = self.subject
        return Payment(order.id, order.customer_id, attempt, order.total, order.currency)


@dataclass(frozen=True)
class Fault:
    """A group's handler fails for one event. failures: how often, unless it was fixed before."""

    group_name: str
    event_type: str
    aggregate_id: str
    failures: int
    reason: str


def journeys(orders: int, seed: int) -> list[Journey]:
    """Journeys of `orders` orders and of a few agreements and syncs, the same for a seed."""
    dice = random.Random(seed)
    found = [_order(dice, number) for number in range(1, orders + 1)]
    found += [_agreement(dice, number) for number in range(1, orders // ORDERS_AN_AGREEMENT + 1)]
    found += [_sync(dice, number) for number in range(1, orders // ORDERS_A_SYNC + 1)]
    dice.shuffle(found)
    return found


def faults(all_journeys: Sequence[Journey]) -> list[Fault]:
    """Which handlers fail: six twice, two four times, and two until somebody fixes the cause."""
    paid = [j.subject.id for j in all_journeys if j.paid and isinstance(j.subject, NewOrder)]
    timeout = "the service behind it did not answer in time"
    wanted = [
        ("timeline", "order.created", 2, timeout),
        ("timeline", "order.paid", 2, timeout),
        ("fulfillment", "order.paid", 2, timeout),
        ("fulfillment", "order.paid", 2, timeout),
        ("billing", "order.paid", 2, timeout),
        ("billing", "order.paid", 2, timeout),
        # More than a lane tries in one go: these are parked, and later events wait behind them.
        ("timeline", "order.created", 4, "the search index is being rebuilt"),
        ("fulfillment", "order.paid", 4, "the warehouse is counting its stock"),
        ("billing", "order.paid", FOR_GOOD, "the customer's tax number is missing"),
        ("fulfillment", "order.paid", FOR_GOOD, "no warehouse has the article on its list"),
    ]
    if len(paid) < len(wanted):
        raise ValueError(f"{len(paid)} paid orders are too few for {len(wanted)} failing handlers")
    # Spread over the run, so that the kills happen among them.
    stride = len(paid) // len(wanted)
    return [
        Fault(group, event_type, paid[index * stride], failures, reason)
        for index, (group, event_type, failures, reason) in enumerate(wanted)
    ]


def _order(dice: random.Random, number: int) -> Journey:
    lines = tuple(
        (sku, dice.randint(1, 4), price)
        for sku, price in dice.sample(ARTICLES, dice.randint(1, len(ARTICLES)))
    )
    net = sum((pieces * price for _, pieces, price in lines), Decimal(0))
    customer = dice.randint(1, 500)
    order = NewOrder(
        id=f"order-{number:05d}",
        number=f"2026-{number:05d}",
        customer_id=f"customer-{customer}",
        recipient=f"customer-{customer}@mail.example",
        lines=lines,
        total=(net * TAX).quantize(Decimal("0.01")),
    )
    shares = [share for share, _ in LIVES]
    names = dice.choices([names for _, names in LIVES], shares)[0]
    return Journey(order, _steps(dice, names))


def _agreement(dice: random.Random, number: int) -> Journey:
    sku, price = dice.choice(ARTICLES)
    agreement = Agreement(f"agreement-{number}", f"customer-{dice.randint(1, 500)}", sku, price)
    return Journey(agreement, _steps(dice, ("agree", "change_price")))


def _sync(dice: random.Random, number: int) -> Journey:
    order_ids = tuple(f"order-{number * 7 + i:05d}" for i in range(3))
    return Journey((f"sync-{number}", order_ids), _steps(dice, ("request_sync", "complete_sync")))


def _steps(dice: random.Random, names: Sequence[StepName]) -> tuple[Step, ...]:
    payments = 0
    steps = []
    for name in names:
        payments += name == "start_payment"
        steps.append(Step(name, payments, dice.random() < ROLLED_BACK))
    return tuple(steps)
