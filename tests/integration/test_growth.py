"""Costs do not grow with the outbox: no statement that runs often reads a big table.

The outbox has more than a million delivered events, with and without partitions, and twenty new
ones. The statements run under the relay's own sessions, and the plans that they had are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from relay.bench.grown import begin_long_ago, fill_delivered
from relay.capture.position import Position, Snapshot, beyond
from relay.capture.reader import SESSION, OutboxReader
from relay.local.postgres import LocalPostgres
from relay.postgres.connect import connect
from relay.postgres.migrate import migrate
from relay.postgres.partitions import keep
from relay.postgres.sqlfile import load
from tests.integration.plans import buffers, plan, removed, scans

ROWS = 1_050_000
MONTHS = 11
AGGREGATES = 10_000
# Pages of 8 kB. A statement goes down a few indexes, in each partition where it knows no number.
FEW = 4_000
NEW = 20
# Events of one aggregate, each of a correlation of its own.
LONG = 3_000


@dataclass(frozen=True)
class Grown:
    """A grown outbox. position: passes all but the new events. first: number of the first of them.
    unanalyzed: the plan of capture's statements before the tables had statistics."""

    url: str
    position: Position
    upto: Snapshot
    first: int
    unanalyzed: Mapping[str, dict[str, Any]]

    def connect(self, **session: str) -> AbstractContextManager[psycopg.Connection[Any]]:
        return connect(self.url, session=session)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPostgres]:
    """A server that forgets nothing of what is measured, and analyzes nothing by itself."""
    server = LocalPostgres(
        tmp_path_factory.mktemp("growth"),
        settings={
            "autovacuum": "off",
            "fsync": "off",
            "max_wal_size": "4GB",
            "maintenance_work_mem": "256MB",
        },
    )
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module", params=["plain", "monthly"])
def grown(request: pytest.FixtureRequest, server: LocalPostgres) -> Grown:
    url = server.create_database(request.param)
    migrate(url, monthly=request.param == "monthly")
    with connect(url) as connection:
        if request.param == "monthly":
            begin_long_ago(connection, MONTHS)
            keep(connection)
        fill_delivered(connection, ROWS, AGGREGATES)
        connection.execute(
            "update outbox.domain_events set aggregate_id = 'order-long' "
            "where id in (select 'grown' || n * 5 from generate_series(1, %s) n)",
            (LONG,),
        )
        _fill_inbox(connection)
        position = Position(OutboxReader(connection, 4, 100).snapshot().snapshot)
        for number in range(NEW):
            connection.execute(
                "select outbox.publish('counted', 'counter', %s, '{\"number\": 1}')",
                (f"a{number}",),
            )
        upto = OutboxReader(connection, 4, 100).snapshot().snapshot
        row = connection.execute(
            "select min(seq) from outbox.domain_events where xid >= %s::xid8",
            (str(position.seen.xmax),),
        ).fetchone()
        assert row is not None
    with connect(url, session=SESSION) as connection:
        unanalyzed = {
            query: plan(connection, package, query, parameters)
            for package, query, parameters in capture(position, upto, row[0])
        }
    with connect(url) as connection:
        connection.execute("vacuum analyze")
    return Grown(url, position, upto, row[0], unanalyzed)


def _fill_inbox(connection: psycopg.Connection[Any]) -> None:
    connection.execute("alter table inbox.processed drop constraint processed_pkey")
    connection.execute(
        "insert into inbox.processed (group_name, event_id) "
        "select 'billing', 'grown' || n from generate_series(1, 300000) n"
    )
    connection.execute("alter table inbox.processed add primary key (group_name, event_id)")
    connection.execute(
        "with queues as (insert into inbox.parked_queues "
        "select n, 'billing', now() + make_interval(secs => n - 20) "
        "from generate_series(0, 499) n) "
        "insert into inbox.parked (group_name, event_id, queue, sequence, topic, partition, "
        "kafka_offset, key, header_names, header_values) "
        "select 'billing', 'p' || n, n %% 500, n, 't', 0, n, '', '{}', '{}' "
        "from generate_series(1, 20000) n",
        (),
    )
    connection.execute(
        "insert into outbox.holds "
        "(seq, event_id, shard, aggregate_type, aggregate_id, state, error) "
        "select -n, 'h' || n, n %% 4, 'counter', 'h' || n, 'dead', '' "
        "from generate_series(1, 20000) n",
        (),
    )


CLAIM = {
    "group": "billing", "queues": [7, 8], "sequences": [-1, -1], "arrivals": [0, 0],
    "inserts": [0, 0], "server": "", "most": 25, "idle_timeout_ms": 1_000,
    "statement_timeout_ms": 1_000,
}  # fmt: skip


def capture(
    position: Position, upto: Snapshot, first: int
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Capture's statements with what the reader gives them."""
    given = {
        "in_progress": list(map(str, position.seen.in_progress)),
        "xmax": str(position.seen.xmax),
        "rows": 20_000,
        "shards": 4,
        "mine": None,
    }
    yield "relay.capture", "read_fresh.sql", given | {"upto": None}
    yield "relay.capture", "find_first.sql", given | {"upto": str(upto)}
    yield "relay.capture", "read_page.sql", given | {
        "upto": str(upto), "after": first - 1, "through": None, "recovering": False
    }  # fmt: skip
    yield "relay.capture", "read_rows.sql", {"seqs": list(range(first, first + 10)), "shards": 4}


def assert_cheap(top: Mapping[str, Any]) -> None:
    assert scans(top) == []
    assert buffers(top) < FEW


def test_capture_reads_only_what_is_new(grown: Grown) -> None:
    with grown.connect(**SESSION) as connection:
        for package, query, given in capture(grown.position, grown.upto, grown.first):
            top = plan(connection, package, query, given)
            assert_cheap(top)
            assert top["Actual Rows"] in {1, 10, NEW, NEW + 1}


def test_capture_needs_no_statistics(grown: Grown) -> None:
    for top in grown.unanalyzed.values():
        assert_cheap(top)


def test_flags_holds_and_take_over_look_rows_up(grown: Grown) -> None:
    step = {
        "after": 0,
        "through": None,
        "in_progress": [],
        "xmax": str(grown.position.seen.xmax),
        "upto": str(grown.upto),
        "shards": 4,
        "shard": 1,
    }
    with grown.connect(**SESSION) as connection:
        for query, given in (
            ("has_work.sql", {"now": datetime.now(UTC), **beyond([grown.position])}),
            ("find_undelivered.sql", step),
            ("find_released.sql", {"seqs": list(range(grown.first, grown.first + 10))}),
            ("load_heads.sql", {"shard": 1}),
            ("release_holds.sql", {"seqs": [-1, -2]}),
            ("add_deliveries.sql", {
                "seqs": [grown.first], "copies": [0], "topics": ["t"], "partitions": [0],
                "offsets": [1],
            }),
        ):  # fmt: skip
            assert_cheap(plan(connection, "relay.publish", query, given))


def test_the_inbox_looks_events_up(grown: Grown) -> None:
    events = {
        "group": "billing",
        "topics": ["events.counting"] * 50,
        "keys": [b"k"] * 50,
        "event_ids": [f"grown{n}" for n in range(299_990, 300_040)],
        "idle_timeout_ms": 1_000,
        "statement_timeout_ms": 1_000,
    }
    with grown.connect() as connection:
        for query, given in (
            ("enter.sql", events),
            ("find_due_queues.sql", {"group": "billing"}),
            ("claim.sql", CLAIM),
        ):
            assert_cheap(plan(connection, "relay.consume", query, given))


def test_related_events_of_a_long_life_are_looked_up(grown: Grown) -> None:
    page = {
        "aggregate_type": "order", "aggregate_id": "order-long", "after": 0, "rows": 51,
        "related": True,
    }  # fmt: skip
    with grown.connect() as connection:
        top = plan(connection, "relay.operate", "read_timeline.sql", page)
    assert top["Actual Rows"] == 51
    assert scans(top) == []
    # A few pages for each correlation, in each partition.
    assert buffers(top) < LONG * 5 * (MONTHS + 1)
    # And no pair of a correlation and an event that is not of it.
    assert max(removed(top)) < 10 * LONG


@pytest.mark.parametrize("related", [False, True])
def test_a_page_of_the_timeline_and_an_x_ray_look_events_up(grown: Grown, related: bool) -> None:
    page = {
        "aggregate_type": "order", "aggregate_id": "order-000007", "after": 0, "rows": 51,
        "related": related,
    }  # fmt: skip
    with grown.connect() as connection:
        top = plan(connection, "relay.operate", "read_timeline.sql", page)
        assert top["Actual Rows"] == 51
        assert_cheap(top)
        for query in ("read_event.sql", "read_traces.sql", "find_pruned.sql"):
            assert_cheap(plan(connection, "relay.operate", query, {"event_id": "grown299999"}))


def test_the_status_counts_what_is_not_published(grown: Grown) -> None:
    lag = {
        "shards": 4,
        "numbers": [0, 1, 2, 3],
        "seen": [str(grown.position.seen)] * 4,
        "upto": [None] * 4,
        "afters": [0] * 4,
        **beyond([grown.position]),
    }
    with grown.connect() as connection:
        assert_cheap(plan(connection, "relay.operate", "count_lag.sql", lag))
        # These tables are as large as what went wrong.
        top = plan(connection, "relay.operate", "count_events.sql", {})
        assert [scan for scan in scans(top) if "holds" not in scan] == []
        row = connection.execute(load("relay.operate", "count_events.sql")).fetchone()
        assert row is not None
        assert ROWS * 0.9 < row[1] < ROWS * 1.1


def test_pruning_takes_a_batch_without_reading_the_table(grown: Grown) -> None:
    with grown.connect(**SESSION) as connection:
        connection.execute(load("relay.operate.prune", "create_prune_tables.sql"))
        given = {
            "after": -1,
            "end": 2**63 - 1,
            "rows": 1_000,
            "shards": 4,
            "before": datetime.now(UTC) + timedelta(days=1),
        }
        # Some ten pages an event at most.
        judged = plan(connection, "relay.operate.prune", "judge_batch.sql", given)
        assert scans(judged) == []
        assert buffers(judged) < 20_000
