"""Hazards of snapshots: plans that turn, transactions of one's own, long lists of open ones."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import pairwise

import psycopg
import pytest

from relay.capture.feed import Feed, ShardRows
from relay.capture.position import BEGINNING, Position
from relay.capture.reader import SESSION, OutboxReader, Page, Reading
from relay.local.postgres import LocalPostgres
from relay.postgres.connect import connect
from relay.postgres.identity import read_identity
from relay.postgres.migrate import migrate
from tests.stack import until

DELIVERED = 100_000
OPEN = 300


def test_from_its_tenth_run_the_page_statement_still_passes_over_delivered_rows(
    database_url: str,
) -> None:
    # Given an old row that is not committed yet, and many delivered ones behind it
    with connect(database_url, session=SESSION) as connection, psycopg.connect(database_url) as old:
        insert(old, "select 'old', 'c0'")
        with connection.transaction():
            insert(connection, f"select 'd' || n, 'c1' from generate_series(1, {DELIVERED}) n")
        connection.execute("analyze outbox.domain_events")
        reader = OutboxReader(connection, shards=4, page_rows=20)
        position = Position(reader.snapshot().snapshot)
        old.commit()
        # and so many new ones that they are read in pages
        insert(connection, "select 'n' || n, 'c2' from generate_series(1, 50) n")
        reading = reader.snapshot()

        # When the first page is read twenty times on one connection
        read = [entries_read(connection)]
        for _ in range(20):
            _, page = reader.read(position, reading, None)
            assert page is not None
            assert [row[1] for row in page.rows] == ["old", *(f"n{n}" for n in range(1, 20))]
            read.append(entries_read(connection))

        # Then it never looks at the delivered rows
        costs = [after - before for before, after in pairwise(read)]
        assert max(costs) < DELIVERED / 10, costs
        # and no statement has a plan of its own that could turn
        prepared = connection.execute("select statement from pg_prepared_statements").fetchall()
        assert prepared == []


def test_rows_of_a_transaction_that_is_still_open_are_not_walked_at_every_look(
    database_url: str,
) -> None:
    with (
        connect(database_url, session=SESSION) as connection,
        psycopg.connect(database_url) as bulk,
    ):
        reader = OutboxReader(connection, shards=4, page_rows=1000)
        positions = [Position(reader.snapshot().snapshot)]
        # Given a bulk that is not committed yet, began after one position and before another
        insert(bulk, f"select 'b' || n, 'c1' from generate_series(1, {DELIVERED // 5}) n")
        positions.append(Position(reader.snapshot().snapshot))
        with connection.transaction():
            insert(connection, "select 'new', 'c2'")
        for position in positions:
            before = entries_read(connection)
            # When what else has committed is read
            _, page = reader.read(position, None, None)
            # Then only that is looked at
            assert page is not None
            assert [row[1] for row in page.rows] == ["new"]
            assert entries_read(connection) - before < 100
        # and the bulk comes once it is committed
        bulk.commit()
        reader = OutboxReader(connection, shards=4, page_rows=DELIVERED)
        for position in positions:
            _, page = reader.read(position, None, None)
            assert page is not None
            assert len(page.rows) == DELIVERED // 5 + 1


def test_a_snapshot_inside_a_transaction_that_has_an_id_is_refused(database_url: str) -> None:
    """It would count the transaction's own uncommitted rows as seen."""
    # Given a connection on which every statement begins a transaction
    with (
        connect(database_url, autocommit=False) as connection,
        pytest.raises(ValueError, match="autocommit"),
    ):
        # Then there is no reader for it
        OutboxReader(connection, shards=4, page_rows=7)
    # And given one on which somebody began a transaction and published
    with connect(database_url) as connection:
        reader = OutboxReader(connection, shards=4, page_rows=7)
        beginning = Position(BEGINNING)
        with connection.transaction():
            insert(connection, "select 'mine', 'c1'")
            # Then no snapshot is taken
            with pytest.raises(RuntimeError, match="transaction"):
                reader.snapshot()
            with pytest.raises(RuntimeError, match="transaction"):
                reader.read(beginning, None, None)
        # and once that is over, its row is fresh
        _, page = reader.read(beginning, None, None)
        assert page is not None
        assert [row[1] for row in page.rows] == ["mine"]


class CountingReader(OutboxReader):
    """Counts its looks."""

    looks = 0

    def read(
        self, position: Position, reading: Reading | None, mine: Sequence[int] | None
    ) -> tuple[Reading, Page | None]:
        """See OutboxReader."""
        self.looks += reading is None
        return super().read(position, reading, mine)

    def snapshot(self) -> Reading:
        """See OutboxReader."""
        self.looks += 1
        return super().snapshot()


class Nobody:
    """A sink that nothing comes for."""

    def offer(self, part: ShardRows) -> bool:  # noqa: ARG002
        """See relay.capture.feed.ShardSink."""
        return True

    def lost(self, reason: str) -> None:
        """See relay.capture.feed.ShardSink."""


@pytest.fixture
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of an outbox on a server that allows as many prepared transactions as needed."""
    server = LocalPostgres(
        tmp_path_factory.mktemp("crowded"), settings={"max_prepared_transactions": str(OPEN)}
    )
    server.start()
    try:
        migrate(server.url)
        yield server.url
    finally:
        server.kill()


def test_the_outbox_is_looked_at_more_rarely_while_many_transactions_are_open(
    crowded: str,
) -> None:
    # Given three hundred open transactions
    with psycopg.connect(crowded, autocommit=True) as services:
        for number in range(OPEN):
            services.execute("begin")
            services.execute("select pg_current_xact_id()")
            services.execute(f"prepare transaction 'open {number}'")
        # and one that ended after them, or no snapshot would list them
        services.execute("select pg_current_xact_id()")

        # When an idle outbox is looked at as often as can be
        connection = connect(crowded, session=SESSION)
        reader, identity = CountingReader(connection, 4, 100), read_identity(connection)
        assert len(reader.snapshot().snapshot.in_progress) == OPEN
        feed = Feed(lambda: (reader, identity), 4, longest_pause=0.001)
        feed.add(0, Position(reader.snapshot().snapshot), identity, Nobody())
        reader.looks = 0
        began = time.monotonic()
        feed.start()
        until(lambda: reader.looks >= 20)
        looks, seconds = reader.looks, time.monotonic() - began
        feed.stop()
        connection.close()

        # Then each of them costs a pause of 0.1 ms, but for the first two looks
        assert looks <= seconds / (OPEN * 0.0001) + 2


def insert(connection: psycopg.Connection[tuple[object, ...]], ids_and_aggregates: str) -> None:
    connection.execute(
        "insert into outbox.domain_events (id, aggregate_id, event_type, aggregate_type, payload)"
        f" select *, 'counted', 'counter', '{{}}' from ({ids_and_aggregates}) as new"
    )


def entries_read(connection: psycopg.Connection[tuple[int]]) -> int:
    """Entries of the outbox's indexes, and rows of it, that were read so far."""
    connection.execute("select pg_stat_force_next_flush()")
    row = connection.execute(
        "select sum(idx_tup_read) + (select seq_tup_read from pg_stat_user_tables"
        " where relid = 'outbox.domain_events'::regclass)"
        " from pg_stat_user_indexes where relid = 'outbox.domain_events'::regclass"
    ).fetchone()
    assert row is not None
    return int(row[0])
