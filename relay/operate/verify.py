"""Compares the outbox with the topics: proves that both agree.

The topics are read first and the table after them, in one snapshot: whatever is committed in Kafka
was committed in the table before, so what is written and published meanwhile never looks wrong.
Records go to a temporary table and are joined there, so that memory does not grow with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import psycopg

from relay.kafka.clients import reader
from relay.kafka.offsets import Bounds, Partition, read_bounds
from relay.kafka.topics import open_admin
from relay.operate.report import EXAMPLES, Example, VerifyReport
from relay.operate.scan import scan
from relay.postgres.connect import connect
from relay.postgres.sqlfile import load
from relay.schema.catalog import Catalog
from relay.settings import Settings

__all__ = ["Progress", "verify"]

Connection = psycopg.Connection[Any]
# what is being done, how much of it is done, how much there is (0: not known)
Progress = Callable[[str, int, int], None]


def verify(settings: Settings, progress: Progress | None = None) -> VerifyReport:
    """Compares all event topics, from their beginnings to their ends now, with the outbox.

    Raises CatalogInvalid, BrokerUnavailable, DatabaseUnavailable.
    """
    progress = progress or (lambda *_: None)
    catalog = Catalog.load(settings.schemas_dir)
    admin = open_admin(settings)
    with connect(settings.database_url, application_name="relay verify") as connection:
        connection.execute(load(__package__, "create_verify_tables.sql"))
        names = {*catalog.topics, *_pinned_topics(connection)}
        bounds = read_bounds(admin, sorted(names))
        _load_records(settings, connection, bounds, progress)
        progress("comparing with the outbox", 0, 0)
        connection.execute("analyze verify_records")
        connection.execute("begin isolation level repeatable read")
        # The first statement takes the snapshot; where the topics end by then is read after it.
        connection.execute("select from outbox.shards limit 1")
        now = read_bounds(admin, sorted(names), undecided=True)
        _load_bounds(connection, bounds, now)
        report = _judge(connection, settings)
        connection.execute("rollback")
    return report


def _pinned_topics(connection: Connection) -> Iterable[str]:
    return [topic for (topic,) in connection.execute("select topic from outbox.topics")]


def _load_records(
    settings: Settings,
    connection: Connection,
    bounds: Mapping[Partition, Bounds],
    progress: Progress,
) -> None:
    total = sum(bound.end - bound.low for bound in bounds.values())
    done = 0
    consumer = reader(settings)
    try:
        with connection.cursor().copy(load(__package__, "copy_records.sql")) as copy:
            for records in scan(consumer, bounds):
                for record in records:
                    copy.write_row(record)
                done += len(records)
                progress("reading the topics", min(done, total), total)
    finally:
        consumer.close()


def _load_bounds(
    connection: Connection, read: Mapping[Partition, Bounds], now: Mapping[Partition, Bounds]
) -> None:
    connection.cursor().executemany(
        "insert into verify_bounds values (%s, %s, %s, %s, %s)",
        [
            # What retention took while the topics were read is no loss.
            (*place, now[place].low, bound.end, now[place].end)
            for place, bound in read.items()
            if place in now
        ],
    )


def _judge(connection: Connection, settings: Settings) -> VerifyReport:
    report = VerifyReport(duplicates_allowed=settings.delivery == "at-least-once")
    row = connection.execute("select shards from outbox.relay").fetchone()
    shards = row[0] if row else settings.shards
    connection.execute(load(__package__, "judge_rows.sql"), {"shards": shards})
    for verdict, count, flaws in connection.execute(load(__package__, "count_verdicts.sql")):
        setattr(report, verdict, count)
        report.events += count
        report.wrong_flags += flaws
    if report.lost:
        report.examples["lost"] = _examples(_find(connection, "find_lost.sql"))
    if report.wrong_flags:
        report.examples["wrong_flags"] = _examples(_find(connection, "find_flawed.sql"))
    _count(report, "wrong_flags", _find(connection, "find_wrong_copies.sql"))
    duplicated = _find(connection, "find_duplicated.sql")
    _count(
        report,
        "duplicated",
        [(event_id, f"it is at {places}", count) for event_id, _, places, count in duplicated],
    )
    if not _one(connection, "has_unique_id.sql"):
        ambiguous = _find(connection, "find_ambiguous_ids.sql")
        _count(
            report,
            "duplicated",
            [(event_id, f"{n + 1} rows have this id", count) for event_id, n, count in ambiguous],
        )
    if _one(connection, "has_late_records.sql") is not None:
        late = _find(connection, "find_out_of_order.sql", max_attempts=settings.max_attempts)
        _count(report, "out_of_order", late)
    _count(report, "without_row", _find(connection, "find_without_row.sql"))
    return report


def _find(connection: Connection, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
    parameters["most"] = EXAMPLES
    return connection.execute(load(__package__, query), parameters).fetchall()


def _one(connection: Connection, query: str) -> Any:
    """The row's only column, True for a row without columns, None without a row."""
    row = connection.execute(load(__package__, query)).fetchone()
    if row is None:
        return None
    return row[0] if row else True


def _count(report: VerifyReport, name: str, rows: list[tuple[Any, ...]]) -> None:
    """Adds rows (event id, problem, number of all such) to a count and its examples."""
    if rows:
        setattr(report, name, getattr(report, name) + rows[0][2])
        examples = report.examples.setdefault(name, [])
        examples += _examples(rows)[: EXAMPLES - len(examples)]


def _examples(rows: list[tuple[Any, ...]]) -> list[Example]:
    return [Example(row[0], row[1]) for row in rows]
