"""The reader on a real PostgreSQL: snapshots mean the same, and nothing is lost, twice or out of
order."""

from __future__ import annotations

import json
import random

import psycopg
import pytest

from relay.bus import DomainEventBus
from relay.capture import reader as reader_module
from relay.capture import row
from relay.capture.position import BEGINNING, Position, Snapshot, Step
from relay.capture.reader import SESSION, OutboxReader, Reading
from relay.capture.row import AVRO, PAYLOAD, SEQ, SHARD, Row
from relay.postgres.connect import connect
from relay.postgres.sqlfile import load
from tests.integration.capturing import assert_captured, writing
from tests.integration.publishing import noted

# Parameters of the page statements.
PAGE = {
    "after": 0, "through": None, "in_progress": [], "xmax": "3", "upto": "9000:9000:",
    "mine": [1, 2], "recovering": False, "rows": 1000, "shards": 16,
}  # fmt: skip


def any_snapshot(chance: random.Random, around: int) -> Snapshot:
    xmin = max(1, around + chance.randint(-20, 20))
    xmax = xmin + chance.randint(0, 20)
    listed = chance.sample(range(xmin, xmax), chance.randint(0, xmax - xmin))
    return Snapshot(xmin, xmax, tuple(sorted(listed)))


def test_a_snapshot_sees_what_postgresql_says_that_it_sees(database: str) -> None:
    chance = random.Random(1)
    asked = [
        (snapshot := any_snapshot(chance, around), max(1, around + chance.randint(-30, 50)))
        for around in [1, 40, 2**32 + 100, 2**62 + 100]
        for _ in range(500)
    ]
    assert len({str(snapshot) for snapshot, _ in asked}) > 500
    with psycopg.connect(database) as connection:
        answers = connection.execute(
            "select snapshot::pg_snapshot::text, pg_visible_in_snapshot(xid::xid8,"
            " snapshot::pg_snapshot) from unnest(%s::text[], %s::text[]) as asked (snapshot, xid)",
            ([str(snapshot) for snapshot, _ in asked], [str(xid) for _, xid in asked]),
        ).fetchall()
    for (snapshot, xid), (text, visible) in zip(asked, answers, strict=True):
        assert text == str(snapshot)
        assert snapshot.sees(xid) == visible, (str(snapshot), xid)


def test_the_shard_of_an_aggregate_is_its_hash_modulo_the_number_of_shards(
    database_url: str,
) -> None:
    with psycopg.connect(database_url) as connection:
        wrong = connection.execute(
            "select aggregate_id, shards"
            " from generate_series(1, 1000) i, unnest('{1, 2, 16, 256}'::integer[]) shards,"
            " lateral (select chr(65 + i) || md5(i::text) as aggregate_id) a"
            " where outbox.shard_of(aggregate_id, shards)"
            " <> (hashtextextended(aggregate_id, 0) & 2147483647) % shards"
        ).fetchall()
    assert wrong == []


def test_the_statements_give_the_columns_that_a_row_is_read_by(database_url: str) -> None:
    # Given events of SQL and of Python
    columns = {name: getattr(row, name) for name in row.__all__ if name != "Row"}
    with connect(database_url, session=SESSION) as connection:
        connection.execute("select outbox.publish('order.noted', 'order', 'order-1', '{}')")
        with connection.transaction():
            DomainEventBus.publish(connection, noted())
        for query in ("read_page.sql", "read_rows.sql"):
            # When they are read, then each column stands where its constant says
            found = connection.execute(load("relay.capture", query), PAGE | {"seqs": [1, 2]})
            names = [column.name for column in found.description or ()]
            assert {name.upper(): place for place, name in enumerate(names)} == columns
        # and the statement of fresh rows, which has another first row, gives the same
        reader = OutboxReader(connection, shards=16, page_rows=1000)
        _, page = reader.read(Position(BEGINNING), None, None)
        assert page is not None
        assert page.rows == reader.rows([1, 2])[0] == reader.page(page.step, None).rows
        assert [type(each[AVRO]) for each in page.rows] == [type(None), bytes]


@pytest.mark.parametrize("query", ["read_page.sql", "read_fresh.sql"])
def test_the_page_statements_call_no_function_for_the_shard(database_url: str, query: str) -> None:
    # A call per row would cost more than the rest of the statement.
    with connect(database_url) as connection:
        lines = connection.execute(
            b"explain (verbose) " + load("relay.capture", query), PAGE
        ).fetchall()
    plan = "\n".join(line for (line,) in lines)
    assert "hashtextextended(" in plan
    assert "shard_of" not in plan


def test_a_page_has_the_rows_that_its_step_holds(database_url: str) -> None:
    # Given rows of many transactions
    chance = random.Random(2)
    with connect(database_url, session=SESSION) as connection:
        for number in range(300):
            connection.execute(
                "insert into outbox.domain_events"
                " (xid, event_type, aggregate_type, aggregate_id, payload)"
                " values (%s::text::xid8, 'counted', 'counter', %s, '{}')",
                (str(chance.randint(3, 60)), f"c{number % 9}"),
            )
        every = connection.execute("select xid::text::bigint, seq from outbox.domain_events")
        rows = every.fetchall()
        reader = OutboxReader(connection, shards=3, page_rows=1000)
        for _ in range(200):
            # When any step is read
            after = chance.randint(0, 300)
            step = Step(
                chance.choice([any_snapshot(chance, 20), BEGINNING]),
                any_snapshot(chance, 40),
                after,
                chance.choice([None, after + chance.randint(0, 100)]),
            )
            mine = chance.choice([None, [0], [1, 2]])
            page = reader.page(step, mine).rows

            # and all that a snapshot sees and another does not, with the snapshot's statement
            if step.seen != BEGINNING:
                _, fresh = reader.read(Position(step.seen), Reading(step.upto, 0, 0), None)
                between = Step(step.seen, step.upto)
                assert ([row[SEQ] for row in fresh.rows] if fresh else []) == sorted(
                    seq for xid, seq in rows if between.holds(xid, seq)
                )

            # Then it has just those that the step holds, in order
            expected = sorted(seq for xid, seq in rows if step.holds(xid, seq))
            if mine is None:
                assert [row[SEQ] for row in page] == expected
            else:
                assert {row[SHARD] for row in page} <= set(mine)
                others = reader.page(step, [shard for shard in range(3) if shard not in mine]).rows
                assert sorted(row[SEQ] for row in page + others) == expected


def test_sixteen_writers_and_restarts_at_every_page_lose_double_and_reorder_nothing(
    database_url: str,
) -> None:
    # Given writers of every kind, and a transaction that is open all the time
    stored = json.dumps(Position(BEGINNING).to_json())
    captured: list[Row] = []
    pages = 0
    with writing(database_url, transactions=40, seed=3) as writers:
        # When they are read in pages of seven, by a new reader after each page
        ended = False
        while True:
            with connect(database_url, session=SESSION) as connection:
                reader = OutboxReader(connection, shards=4, page_rows=7)
                page = None
                while page is None and not ended:
                    ended = not writers.is_alive()
                    position = Position.from_json(json.loads(stored))
                    _, page = reader.read(position, None, None)
            if page is None:
                break
            ended = False
            pages += 1
            captured += page.rows
            stored = json.dumps(page.step.position().to_json())

    # Then each committed row was read once and in its aggregate's order
    assert_captured(database_url, captured)
    assert pages > len(captured) / 7


@pytest.mark.parametrize("fresh", [True, False])
def test_a_page_ends_where_its_bytes_do_and_nothing_is_left_out(
    database_url: str, monkeypatch: pytest.MonkeyPatch, fresh: bool
) -> None:
    # Given rows of all sizes, as text a hundred times what compression makes of them
    monkeypatch.setattr(reader_module, "MOST_BYTES", 100_000)
    with connect(database_url, session=SESSION) as connection:
        connection.execute(
            "select outbox.publish('counted', 'counter', 'k' || n % 9, jsonb_build_object("
            "'number', n, 'note', repeat('x', (n * 7919) % 60000))) from generate_series(1, 300) n"
        )
        reader = OutboxReader(connection, shards=4, page_rows=1000)
        # When they are read page by page
        position = Position(BEGINNING, recovering=not fresh)
        seqs, sizes = [], []
        while (page := reader.read(position, None, None)[1]) is not None and page.rows:
            seqs += [row[SEQ] for row in page.rows]
            sizes.append(page.size)
            largest = max(len(row[PAYLOAD] or b"") for row in page.rows)
            assert page.size <= 100_000 + largest
            position = page.step.position()
        # Then each comes once, and the pages are filled
        assert seqs == list(range(1, 301))
        assert min(sizes[:-1]) > 100_000
        # and single rows end there as well
        rows, whole = reader.rows(seqs)
        assert not whole
        assert [row[SEQ] for row in rows] == seqs[: len(rows)]
        assert reader.rows(seqs[:1])[1]
        # while the connection is as good as before
        assert connection.execute("select 1").fetchone() == (1,)
