"""Hazards of a transaction that is open for long: the server keeps all versions of rows for it."""

from __future__ import annotations

from typing import Any

import psycopg

from relay.capture.position import Position, Snapshot
from relay.postgres.connect import connect
from relay.postgres.sqlfile import load
from relay.publish.outcome import BatchOutcome
from relay.publish.record import PositionRecord
from relay.publish.store import ShardStore

BATCHES = 1_000


def test_writing_flags_costs_the_same_however_long_a_transaction_is_open(database_url: str) -> None:
    with connect(database_url) as connection, psycopg.connect(database_url) as report:
        # Given a report that needs one snapshot for all its statements
        report.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        report.execute("select count(*) from outbox.domain_events")
        store = ShardStore(connection, 1)
        epoch, _ = store.take(0, "worker")
        record = PositionRecord(1, 0, 1, store.identity, Position(Snapshot(3, 3)))
        store.write([BatchOutcome(0, epoch, record)])
        first = pages_read(connection, epoch, record)
        # When the relay publishes for a while
        for number in range(2, BATCHES):
            record = PositionRecord(number, 0, 1, store.identity, Position(Snapshot(3, 3)))
            store.write([BatchOutcome(0, epoch, record)])
        # Then the next flags cost what the first ones did
        assert pages_read(connection, epoch, record) < first + 20
        # and the database has the last position only
        mirrored = store.take(0, "another")[1].record
        assert mirrored is not None
        assert mirrored.to_json() == record.to_json()
        assert connection.execute("select count(*) from outbox.positions").fetchone() == (1,)


def pages_read(connection: psycopg.Connection[Any], epoch: int, last: PositionRecord) -> int:
    """Pages that the guard of the next write reads."""
    with connection.transaction(force_rollback=True):
        row = connection.execute(
            b"explain (analyze, buffers, format json) "
            + load("relay.publish", "mirror_positions.sql"),
            {
                "shards": [0],
                "epochs": [epoch],
                "numbers": [last.number + 1],
                "positions": [last.to_bytes().decode()],
                "read_from": [None],
            },
        ).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])
