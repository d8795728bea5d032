"""Services under test: processes that write events while other things happen."""

from __future__ import annotations

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg

__all__ = ["write"]


def write(
    url: str,
    *,
    writers: int,
    transactions: int,
    aggregates: int,
    rolled_back: float,
    seed: int = 1,
    pace: threading.Event | None = None,
) -> int:
    """Writes one event a transaction from concurrent writers; how many were committed.

    Each event carries the next number of its aggregate, which the writer knows because it holds the
    aggregate's row lock. rolled_back: share of transactions that are rolled back. pace: when given,
    writers wait until it is set.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "create table if not exists counters (id text primary key, number bigint not null)"
        )
        connection.cursor().executemany(
            "insert into counters values (%s, 0) on conflict do nothing",
            [(f"c{number}",) for number in range(aggregates)],
        )

    def run(writer: int) -> int:
        chance = random.Random(f"{seed}/{writer}")
        committed = 0
        with psycopg.connect(url) as connection:
            for _ in range(transactions // writers):
                if pace is not None:
                    pace.wait()
                aggregate = f"c{chance.randrange(aggregates)}"
                row = connection.execute(
                    "update counters set number = number + 1 where id = %s returning number",
                    (aggregate,),
                ).fetchone()
                assert row is not None
                connection.execute(
                    "select outbox.publish('counted', 'counter', %s, %s::jsonb)",
                    (aggregate, json.dumps({"number": row[0]})),
                )
                if chance.random() < rolled_back:
                    connection.rollback()
                else:
                    connection.commit()
                    committed += 1
        return committed

    with ThreadPoolExecutor(writers) as pool:
        return sum(pool.map(run, range(writers)))
