"""Compares the outbox with the topics: are all events there, once, in order and flagged?

The topics are read before the table, and the table in one snapshot: whatever is committed in Kafka
was committed in the table before, so events that are written and published meanwhile never look
wrong. Records go to a temporary table and are joined there, so memory does not grow with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from relay.kafka.clients import reader
from relay.kafka.offsets import Bounds, Partition, read_bounds
from relay.kafka.topics import open_admin
from relay.operate.scan import scan
from relay.postgres.connect import connect
from relay.postgres.sqlfile import load
from relay.schema.catalog import Catalog
from relay.settings import Settings

__all__ = ["Progress", "VerifyReport", "verify"]

Connection = psycopg.Connection[Any]
# what is being done, how much of it is done, how much there is (0: not known)
Progress = Callable[[str, int, int], None]

# How many events of each kind are named.
_EXAMPLES: Final = 20

# What can be wrong -> the query that finds it (event id, problem, number of all such), and what to
# do about it.
_FINDINGS: Final = {
    "lost": (
        "find_lost.sql",
        "committed events that are not in their topic. Keep the table, from which they can be "
        "published again; find out with `relay doctor` whether a topic was deleted or cut short",
    ),
    "duplicated": (
        "find_duplicated.sql",
        "surplus records. Consumers with an inbox still handle each event once; look for "
        "another relay or producer that writes to these topics (`relay doctor`)",
    ),
    "out_of_order": (
        "find_out_of_order.sql",
        "events after a later one of their aggregate. Look for publishers that "
        "insert rows themselves, and for a sequence with a cache (`relay doctor`)",
    ),
    "wrong_flags": (
        "find_wrong_flags.sql",
        "events whose flags do not point to the event. The topics are right; run "
        "`relay recover` after a restore, otherwise report it with the lines below",
    ),
    "without_row": (
        "find_without_row.sql",
        "published events without a row in the outbox. After a failover or a restore consumers "
        "handled changes that the database no longer has: compare them with their owners",
    ),
}


@dataclass(frozen=True)
class VerifyReport:
    """The result of a comparison.

    counts: of events, but duplicated and without_row: of records; events is the sum of in_topics,
    pending, held, discarded, expired and lost. pruned: are in the topics, and `relay prune` has
    deleted their rows. examples: name of a count -> (event id, problem).
    duplicates_allowed: under at-least-once they are not an error.
    """

    counts: dict[str, int]
    examples: dict[str, list[tuple[str, str]]]
    duplicates_allowed: bool

    @property
    def sound(self) -> bool:
        """True if table and topics agree."""
        wrong = {"lost", "out_of_order", "wrong_flags"}
        if not self.duplicates_allowed:
            wrong.add("duplicated")
        return not any(self.counts[name] for name in wrong)

    def problems(self) -> Iterator[str]:
        """Lines that say what is wrong, with which events, and what to do."""
        for name, (_, advice) in _FINDINGS.items():
            if not (count := self.counts[name]):
                continue
            yield f"{count} {advice}:"
            examples = self.examples[name]
            yield from (f"  {event_id}: {problem}" for event_id, problem in examples)
            if count > len(examples):
                yield f"  and {count - len(examples)} more"


def verify(settings: Settings, progress: Progress = lambda *_: None) -> VerifyReport:
    """Compares all event topics, from their beginnings to their present ends, with the outbox.

    Raises CatalogInvalid, BrokerUnavailable, DatabaseUnavailable.
    """
    catalog = Catalog.load(settings.schemas_dir)
    admin = open_admin(settings)
    with connect(settings.database_url, application_name="relay verify") as connection:
        connection.execute(load(__package__, "create_verify_tables.sql"))
        pinned = {topic for (topic,) in connection.execute("select topic from outbox.topics")}
        names = sorted(pinned.union(catalog.topics))
        bounds = read_bounds(admin, names)
        _load_records(settings, connection, bounds, progress)
        progress("comparing with the outbox", 0, 0)
        connection.execute("analyze verify_records")
        connection.execute("begin isolation level repeatable read")
        # The first query takes the snapshot; where the topics end by then is read after it. The
        # snapshot knows of all partitions that have been dropped by then, and no other one is.
        connection.execute(
            "lock table outbox.domain_events, outbox.deliveries in access share mode"
        )
        row = connection.execute("select shards from outbox.relay").fetchone()
        _load_bounds(connection, bounds, read_bounds(admin, names, undecided=True))
        report = _judge(connection, settings, row[0] if row else settings.shards)
        connection.execute("rollback")
    return report


def _load_records(
    settings: Settings,
    connection: Connection,
    bounds: Mapping[Partition, Bounds],
    progress: Progress,
) -> None:
    total = sum(bound.end - bound.low for bound in bounds.values())
    done = 0
    with (
        closing(reader(settings)) as consumer,
        connection.cursor().copy("copy verify_records from stdin") as copy,
    ):
        for records in scan(consumer, bounds):
            for record in records:
                copy.write_row(record)
            done += len(records)
            progress("reading the topics", min(done, total), total)


def _load_bounds(
    connection: Connection, read: Mapping[Partition, Bounds], now: Mapping[Partition, Bounds]
) -> None:
    connection.cursor().executemany(
        "insert into verify_bounds values (%s, %s, %s, %s, %s)",
        [
            # What retention removed while the topics were read is not lost.
            (*place, now[place].low, bound.end, now[place].end)
            for place, bound in read.items()
            if place in now
        ],
    )


def _judge(connection: Connection, settings: Settings, shards: int) -> VerifyReport:
    parameters = {
        "shards": shards,
        "examples": _EXAMPLES,
    }
    connection.execute(load(__package__, "judge_rows.sql"), parameters)
    verdicts = ("events", "in_topics", "pending", "held", "discarded", "expired", "lost")
    counts = dict.fromkeys(verdicts, 0)
    counts.update(
        connection.execute("select verdict, count(*) from verify_rows group by verdict").fetchall()
    )
    counts["events"] = sum(counts.values())
    examples = {}
    for name, (query, _) in _FINDINGS.items():
        rows = connection.execute(load(__package__, query), parameters).fetchall()
        counts[name] = rows[0][2] if rows else 0
        examples[name] = [(event_id, problem) for event_id, problem, _ in rows]
    row = connection.execute(load(__package__, "count_pruned.sql")).fetchone()
    counts["pruned"] = row[0] if row else 0
    return VerifyReport(counts, examples, settings.delivery == "at-least-once")
