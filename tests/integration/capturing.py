"""Services that write to the outbox in every way there is, and what capture owes them."""

from __future__ import annotations

import json
import random
import threading
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg

from relay.capture.row import AGGREGATE_ID, PAYLOAD, SEQ, Row

__all__ = ["assert_captured", "write_in_every_way", "writing"]

_WRITERS = 16
_AGGREGATES = 12


def write_in_every_way(url: str, transactions: int, seed: int) -> None:
    """Sixteen writers with commits, roll-backs, savepoints, COPY and prepared transactions.

    One more transaction writes first and commits last. Each event carries the next number of its
    aggregate, whose row its writer holds until the end. transactions: of each writer.
    """
    with psycopg.connect(url) as connection:
        connection.execute("create table counters (id text primary key, number int not null)")
        connection.cursor().executemany(
            "insert into counters values (%s, 0)",
            [(f"c{number}",) for number in range(_AGGREGATES + 1)],
        )
    with psycopg.connect(url) as late:
        _publish(late, f"c{_AGGREGATES}")
        with ThreadPoolExecutor(_WRITERS) as pool:
            list(
                pool.map(
                    lambda writer: _write(url, random.Random(f"{seed}/{writer}"), transactions),
                    range(_WRITERS),
                )
            )
        _publish(late, f"c{_AGGREGATES}")


@contextmanager
def writing(url: str, transactions: int, seed: int) -> Iterator[threading.Thread]:
    """The same in the background; failures come out at the end."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            write_in_every_way(url, transactions, seed)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        thread.join()
    assert not failures, failures


def assert_captured(url: str, captured: Iterable[Row]) -> None:
    """Every committed row once, and each aggregate's events in the order of their numbers."""
    rows = list(captured)
    with psycopg.connect(url) as connection:
        there = connection.execute("select seq from outbox.domain_events order by seq").fetchall()
        aborted, numbers = connection.execute(
            "select max(seq) > count(*), (select sum(number) from counters) = count(*)"
            " from outbox.domain_events"
        ).fetchone() or (None, None)
    assert aborted, "no transaction was rolled back: the test shows little"
    assert numbers, "the writers' own numbers do not agree with the table"
    times = Counter(row[SEQ] for row in rows)
    assert not (lost := {seq for (seq,) in there} - times.keys()), f"lost: {sorted(lost)}"
    assert not (foreign := times.keys() - {seq for (seq,) in there}), f"not there: {foreign}"
    assert not (twice := {seq for seq in times if times[seq] > 1}), f"twice: {sorted(twice)}"
    seen: dict[str, list[int]] = {}
    for row in rows:
        seen.setdefault(row[AGGREGATE_ID], []).append(json.loads(row[PAYLOAD] or "")["number"])
    for aggregate, order in seen.items():
        assert order == list(range(1, len(order) + 1)), aggregate


def _write(url: str, chance: random.Random, transactions: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(transactions):
            aggregates = sorted(chance.sample(range(_AGGREGATES), chance.randint(1, 3)))
            keys = [f"c{number}" for number in aggregates]
            connection.execute("begin")
            way = chance.choice(["plain", "plain", "savepoint", "copy", "prepared", "rollback"])
            if way == "savepoint":
                connection.execute("savepoint before")
                _publish(connection, keys[0])
                connection.execute("rollback to before")
            if way == "copy":
                _copy(connection, keys)
            else:
                for key in keys:
                    _publish(connection, key)
            if way == "prepared":
                name = uuid.uuid4().hex
                connection.execute(f"prepare transaction '{name}'")
                connection.execute(f"{chance.choice(['commit', 'rollback'])} prepared '{name}'")
            else:
                connection.execute("rollback" if way == "rollback" else "commit")


def _next_number(connection: psycopg.Connection[tuple[int]], aggregate: str) -> str:
    row = connection.execute(
        "update counters set number = number + 1 where id = %s returning number", [aggregate]
    ).fetchone()
    assert row is not None
    return json.dumps({"number": row[0]})


def _publish(connection: psycopg.Connection[tuple[int]], aggregate: str) -> None:
    connection.execute(
        "select outbox.publish('counted', 'counter', %s, %s::jsonb)",
        [aggregate, _next_number(connection, aggregate)],
    )


def _copy(connection: psycopg.Connection[tuple[int]], aggregates: Iterable[str]) -> None:
    lines = [(key, _next_number(connection, key)) for key in aggregates]
    with connection.cursor().copy(
        "copy outbox.domain_events (event_type, aggregate_type, aggregate_id, payload) from stdin"
    ) as copy:
        for key, payload in lines:
            copy.write_row(("counted", "counter", key, payload))
