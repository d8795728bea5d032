"""One writer: a process that plays its share of the journeys and keeps an account of its own."""

from __future__ import annotations

import argparse
import random
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any

import psycopg
from sqlalchemy import create_engine

from examples.shop.demo.plan import Journey, Step, journeys
from examples.shop.demo.services import RolledBack, Services
from relay import event_context
from relay.postgres.connect import libpq_url, sqlalchemy_url
from relay.settings import load_settings

__all__ = ["Writer", "main"]

# Orders that one writer has under way at a time, so that their events interleave.
UNDER_WAY = 40
ACCOUNT_ROWS = 100


class Writer:
    """Plays journeys in random turns; one thread, which owns `services` and `accounts`.

    accounts: connection by which it hands in what it wrote and what it rolled back: told by the
    writer and not read from the outbox, so that the two can be compared.
    """

    def __init__(
        self, services: Services, accounts: psycopg.Connection[Any], dice: random.Random
    ) -> None:
        self._services = services
        self._accounts = accounts
        self._dice = dice
        self._account: list[tuple[str, str, bool, datetime]] = []

    def play(self, waiting: deque[Journey], steps_per_second: float) -> None:
        """Plays all journeys, no faster than told."""
        under_way: list[tuple[Journey, deque[Step]]] = []
        begun, done = time.monotonic(), 0
        while waiting or under_way:
            while waiting and len(under_way) < UNDER_WAY:
                journey = waiting.popleft()
                under_way.append((journey, deque(journey.steps)))
            chosen = self._dice.randrange(len(under_way))
            journey, steps = under_way[chosen]
            self._play(journey, steps.popleft())
            if not steps:
                del under_way[chosen]
            done += 1
            time.sleep(max(0.0, begun + done / steps_per_second - time.monotonic()))
        self._hand_in()

    def _play(self, journey: Journey, step: Step) -> None:
        with event_context(actor_id=f"customer of {step.name}"):
            if step.rolled_back:
                try:
                    self._services.do(journey, step, fail=True)
                except RolledBack as gone:
                    self._note(gone.event_id, step, committed=False)
            event_id = self._services.do(journey, step)
        self._note(event_id, step, committed=True)

    def _note(self, event_id: str, step: Step, *, committed: bool) -> None:
        self._account.append((event_id, step.name, committed, datetime.now(UTC)))
        if len(self._account) >= ACCOUNT_ROWS:
            self._hand_in()

    def _hand_in(self) -> None:
        with (
            self._accounts.cursor() as cursor,
            cursor.copy("copy demo.written (event_id, step, committed, at) from stdin") as copy,
        ):
            for row in self._account:
                copy.write_row(row)
        self._account.clear()


def main() -> None:
    """Plays the share of one of several writers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--writer", type=int, required=True)
    parser.add_argument("--writers", type=int, required=True)
    parser.add_argument("--steps-per-second", type=float, required=True)
    given = parser.parse_args()
    settings = load_settings()
    share = journeys(given.orders, given.seed)[given.writer :: given.writers]
    engine = create_engine(sqlalchemy_url(settings.database_url), pool_size=1)
    url = libpq_url(settings.database_url)
    with (
        psycopg.connect(url, autocommit=True) as payments,
        psycopg.connect(url, autocommit=True) as accounts,
    ):
        dice = random.Random(given.seed + given.writer)
        writer = Writer(Services(engine, payments), accounts, dice)
        writer.play(deque(share), given.steps_per_second)
    engine.dispose()


if __name__ == "__main__":
    main()
