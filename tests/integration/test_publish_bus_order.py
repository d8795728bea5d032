"""The promise of order (H4): concurrent writers of one aggregate are numbered as they commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from relay.bus import DomainEventBus
from tests.integration.publishing import noted, notes, rows
from tests.stack import until

Publish = Callable[[psycopg.Connection[Any], str], object]


def by_python(connection: psycopg.Connection[Any], note: str) -> object:
    return DomainEventBus.publish(connection, noted(note=note))


def in_bulk(connection: psycopg.Connection[Any], note: str) -> object:
    return DomainEventBus.publish_many(connection, [noted("order-0", note), noted(note=note)])


def by_sql(connection: psycopg.Connection[Any], note: str) -> object:
    return connection.execute(
        "select outbox.publish('order.noted', 'order', 'order-1', "
        "jsonb_build_object('note', %s::text))",
        [note],
    )


def without_lock(connection: psycopg.Connection[Any], note: str) -> object:
    return DomainEventBus.publish(connection, noted(note=note), lock=False)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def publish_and_commit(url: str, publish: Publish, note: str) -> None:
    with psycopg.connect(url) as connection:
        publish(connection, note)


def waits_for_the_lock(url: str) -> bool:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select from pg_locks where locktype = 'advisory' and not granted "
            "and database = (select oid from pg_database where datname = current_database())"
        ).fetchone()
    return found is not None


def drawn_numbers(url: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select coalesce(max(last_value), 0) from pg_sequences where schemaname = 'outbox'"
        ).fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.parametrize("second", [by_python, in_bulk, by_sql])
@pytest.mark.parametrize("first", [by_python, in_bulk, by_sql])
def test_a_concurrent_writer_of_the_aggregate_draws_no_number_before_the_first_commits(
    database_url: str, pool: ThreadPoolExecutor, first: Publish, second: Publish
) -> None:
    with psycopg.connect(database_url) as connection:
        first(connection, "first")
        drawn = drawn_numbers(database_url)
        later = pool.submit(publish_and_commit, database_url, second, "second")
        until(lambda: waits_for_the_lock(database_url))
        assert drawn_numbers(database_url) == drawn
        connection.commit()
        later.result(timeout=10)
    written = notes(database_url)
    assert written == sorted(written)


def test_without_the_lock_who_commits_first_may_have_the_higher_number(
    database_url: str, pool: ThreadPoolExecutor
) -> None:
    with psycopg.connect(database_url) as connection:
        without_lock(connection, "committed last")
        pool.submit(publish_and_commit, database_url, without_lock, "committed first").result(10)
        assert notes(database_url) == ["committed first"]
        connection.commit()
    assert notes(database_url) == ["committed last", "committed first"]


def test_writers_of_other_aggregates_do_not_wait(
    database_url: str, pool: ThreadPoolExecutor
) -> None:
    def other(connection: psycopg.Connection[Any], note: str) -> object:
        return DomainEventBus.publish(connection, noted("order-2", note))

    with psycopg.connect(database_url) as connection:
        by_python(connection, "waiting")
        pool.submit(publish_and_commit, database_url, other, "passed").result(timeout=10)
        connection.commit()
    assert notes(database_url) == ["waiting", "passed"]


def test_a_prepared_transaction_keeps_its_place_until_it_is_committed(
    database_url: str, pool: ThreadPoolExecutor
) -> None:
    with psycopg.connect(database_url) as connection:
        name = connection.xid(1, "orders", database_url[-20:])
        connection.tpc_begin(name)
        by_python(connection, "prepared")
        connection.tpc_prepare()
        later = pool.submit(publish_and_commit, database_url, by_python, "second")
        until(lambda: waits_for_the_lock(database_url))
        connection.tpc_commit()
        later.result(timeout=10)
    assert notes(database_url) == ["prepared", "second"]


def test_an_event_published_before_its_row_is_changed_still_has_the_order_of_the_commits(
    database_url: str, pool: ThreadPoolExecutor
) -> None:
    writers, turns = 8, 40

    def write(writer: int) -> None:
        with psycopg.connect(database_url) as connection:
            for turn in range(turns):
                order = f"order-{(writer + turn) % 3}"
                event_id = DomainEventBus.publish(connection, noted(order))
                connection.execute(
                    "with changed as (update orders set version = version + 1 where id = %s "
                    "returning version) insert into history select %s, version from changed",
                    [order, event_id],
                )
                if turn % 10 == 9:
                    connection.rollback()
                connection.commit()

    with psycopg.connect(database_url) as connection:
        connection.execute("create table orders (id text primary key, version int)")
        connection.execute("create table history (event_id text, version int)")
        connection.execute(
            "insert into orders select 'order-' || n, 0 from generate_series(0, 2) n"
        )
    for future in [pool.submit(write, writer) for writer in range(writers)]:
        future.result(timeout=60)
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "select aggregate_id, array_agg(version order by seq) from outbox.domain_events "
            "join history on event_id = id group by aggregate_id"
        ).fetchall()
    assert sum(len(versions) for _, versions in found) == writers * turns * 9 // 10
    assert all(versions == sorted(versions) for _, versions in found)


def test_two_bulks_in_opposite_orders_never_deadlock(
    database_url: str, pool: ThreadPoolExecutor
) -> None:
    orders = [f"order-{n}" for n in range(20)]

    def write(names: list[str]) -> None:
        with psycopg.connect(database_url) as connection:
            for _ in range(50):
                DomainEventBus.publish_many(connection, [noted(name) for name in names])
                connection.commit()

    running: list[Future[None]] = [
        pool.submit(write, names) for names in (orders, orders[::-1]) * 2
    ]
    for future in running:
        future.result(timeout=60)
    assert len(rows(database_url)) == 4 * 50 * len(orders)
