"""A service: writes events in transactions, some of which it rolls back, and keeps an account.

Run as `python -m tests.chaos.writer NUMBER SEED RATE ACCOUNT`: transactions a second; the file for
the account, to which each transaction adds a line once it has ended: C (committed) or R (rolled
back) and its events. A commit whose answer was lost has no line.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from relay import DomainEventBus
from relay.postgres.connect import libpq_url, sqlalchemy_url
from tests.chaos.events import Posted

__all__ = ["ACCOUNTS", "Writer"]

ACCOUNTS = tuple(f"a{number}" for number in range(48))
_HOT = 4
_HOT_SHARE = 0.3
_ROLLED_BACK = 0.08
_SAVEPOINT_ROLLED_BACK = 0.05
_LONGEST_NOTE = 400
_PAUSE_S = 0.3


class _OnPurpose(Exception):
    """The transaction is rolled back."""


class Writer:
    """Writers with an even number use psycopg, the others a Session of SQLAlchemy."""

    def __init__(self, url: str, number: int, account: int, chance: random.Random) -> None:
        """account: descriptor of the file."""
        self._url = url
        self._uses_session = number % 2 == 1
        self._account = account
        self._chance = chance
        self._engine = sqlalchemy.create_engine(sqlalchemy_url(url), pool_size=1)
        self._connection: psycopg.Connection[Any] | None = None

    def write(self) -> None:
        """One transaction. Raises what the drivers raise when the server is gone."""
        committed: list[str] = []
        dropped: list[str] = []
        try:
            with self._transaction() as transaction:
                # In one order, so that writers don't wait for each other in a circle.
                for account in sorted(self._accounts()):
                    if self._chance.random() < _SAVEPOINT_ROLLED_BACK:
                        self._drop(transaction, account, dropped)
                    committed.append(self._publish(transaction, account))
                if self._chance.random() < _ROLLED_BACK:
                    raise _OnPurpose
        except _OnPurpose:
            committed, dropped = [], dropped + committed
        lines = [f"{word} {' '.join(ids)}\n" for word, ids in (("C", committed), ("R", dropped))]
        os.write(self._account, "".join(line for line in lines if len(line) > 3).encode())

    def _accounts(self) -> set[str]:
        found = set()
        for _ in range(self._chance.choice((1, 1, 1, 2, 3))):
            hot = self._chance.random() < _HOT_SHARE
            found.add(self._chance.choice(ACCOUNTS[:_HOT] if hot else ACCOUNTS))
        return found

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        if self._uses_session:
            with Session(self._engine) as session, session.begin():
                yield session
            return
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(libpq_url(self._url), connect_timeout=5)
        with self._connection.transaction():
            yield self._connection

    def _drop(self, transaction: Any, account: str, dropped: list[str]) -> None:
        """An event in a savepoint that is rolled back."""
        nested = transaction.begin_nested if self._uses_session else transaction.transaction
        try:
            with nested():
                dropped.append(self._publish(transaction, account))
                raise _OnPurpose
        except _OnPurpose:
            return

    def _publish(self, transaction: Any, account: str) -> str:
        number = self._next_number(transaction, account)
        note = "x" * self._chance.randrange(_LONGEST_NOTE)
        return DomainEventBus.publish(transaction, Posted(account, number=number, note=note))

    def _next_number(self, transaction: Any, account: str) -> int:
        query = "update chaos.aggregates set number = number + 1 where id = {} returning number"
        if self._uses_session:
            given = sqlalchemy.text(query.format(":id"))
            return int(transaction.execute(given, {"id": account}).scalar_one())
        return int(transaction.execute(query.format("%s"), (account,)).fetchone()[0])


def main() -> None:
    """Writes until SIGTERM, also through outages of the server."""
    number, seed, rate, account = sys.argv[1:5]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    # A writer that was killed does not write the same again.
    chance = random.Random(f"{seed} {number} {time.time_ns()}")
    file = os.open(account, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    writer = Writer(os.environ["EVENT_BUS_DATABASE_URL"], int(number), file, chance)
    while not stop.is_set():
        began = time.monotonic()
        try:
            writer.write()
        except (psycopg.OperationalError, DBAPIError):
            stop.wait(_PAUSE_S)
        stop.wait(max(0.0, began + 1 / float(rate) - time.monotonic()))


if __name__ == "__main__":
    main()
