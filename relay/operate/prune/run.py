"""One run of `relay prune`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final

import psycopg

from relay.capture.reader import SESSION
from relay.errors import ConfigurationInvalid, RelayError
from relay.kafka.topics import open_admin
from relay.operate.prune.batch import Judge
from relay.operate.prune.inbox import delete, group_topics, inbox_groups, prune_inbox
from relay.operate.prune.months import prune_months
from relay.operate.prune.offsets import read_by_all
from relay.operate.prune.report import Part, PruneReport
from relay.operate.prune.rows import prune_rows
from relay.postgres.connect import connect
from relay.postgres.partitions import are_partitioned
from relay.schema.catalog import Catalog
from relay.settings import Settings

__all__ = ["prune"]

_LOCK: Final = 0x7072756E65


def prune(
    settings: Settings, *, dry_run: bool = False, say: Callable[[Part], None] = lambda _: None
) -> PruneReport:
    """Deletes what is delivered, read by every group, and older than the retention.

    dry_run: find out only. say: called with each part as soon as it is decided.
    Everything that is asked from Kafka is asked first: while it is unavailable nothing is deleted.
    Raises CatalogInvalid, ConfigurationInvalid, BrokerUnavailable, DatabaseUnavailable,
    psycopg.Error.
    """
    catalog = Catalog.load(settings.schemas_dir)
    admin = open_admin(settings)
    parts: list[Part] = []
    # Rows are looked up one by one: a join with a whole table costs as much as the table is large.
    with connect(
        settings.database_url, application_name="relay prune", session=SESSION
    ) as connection:
        shards, now = _begin(connection)
        read = read_by_all(settings, catalog)
        topics = group_topics(
            admin, catalog, inbox_groups(connection), settings.inbox_retention_days
        )
        days = settings.retention_days
        before = now - timedelta(days=days)
        judge = Judge(connection, shards, read, before, days)
        kept = {
            "before": now - timedelta(days=settings.pruned_retention_days),
            "dry_run": dry_run,
        }
        inbox_before = now - timedelta(days=settings.inbox_retention_days)
        if are_partitioned(connection):
            events = prune_months(connection, judge, before, days, dry_run=dry_run)
        else:
            events = prune_rows(connection, judge, dry_run=dry_run)
        inbox = prune_inbox(connection, topics, inbox_before, dry_run=dry_run)
        for part in chain(events, inbox):
            say(part)
            parts.append(part)
        delete(connection, "delete_pruned_ids.sql", kept)
    return PruneReport(dry_run, tuple(parts))


def _begin(connection: psycopg.Connection[Any]) -> tuple[int, datetime]:
    """The number of shards and the database's time. Raises RelayError for a second run at once."""
    row = connection.execute(
        "select (select shards from outbox.relay), clock_timestamp(), pg_try_advisory_lock(%s)",
        [_LOCK],
    ).fetchone()
    assert row is not None
    shards, now, alone = row
    if shards is None:
        raise ConfigurationInvalid(
            "this database has no relay, so there is nothing to prune: run `relay migrate`"
        )
    if not alone:
        raise RelayError("another relay prune is at work on this database: wait for its end")
    return shards, now
