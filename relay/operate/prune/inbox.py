"""Deletes inbox rows, settled dead letters and outcomes that protect and tell nothing any more.

An inbox row keeps a handler from acting twice on a record, so it stays while the record can still
be read again from Kafka, or published again from the outbox.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
from confluent_kafka.admin import AdminClient

from relay.errors import ConfigurationInvalid
from relay.kafka.topics import describe, longest_stay
from relay.operate.prune.report import Part
from relay.postgres.sqlfile import load
from relay.schema.catalog import Catalog

__all__ = ["GroupTopics", "delete", "group_topics", "inbox_groups", "prune_inbox"]

# Blocks of a table whose rows are looked at in one statement.
_BLOCKS: Final = 1_000
# Clocks of brokers and database differ, and a broker looks for what is over every few minutes.
_MARGIN: Final = timedelta(days=1)

# Group -> why its inbox stays; None: it may be pruned.
GroupTopics = Mapping[str, str | None]


def group_topics(admin: AdminClient, catalog: Catalog, groups: list[str], days: int) -> GroupTopics:
    """Decides by the configuration of each group's topics whether its inbox may be pruned.

    groups: that have an inbox here. days: EVENT_BUS_INBOX_RETENTION_DAYS.
    Raises ConfigurationInvalid where a topic keeps records longer than that, BrokerUnavailable.
    """
    existing = describe(admin).topics
    read_by = {
        group: [name for topic in topics for name in (topic, Catalog.retry_topic(topic, group))]
        for group, topics in catalog.groups.items()
    }
    names = {name for group in groups for name in read_by.get(group, ()) if name in existing}
    stay = longest_stay(admin, names)
    found: dict[str, str | None] = {}
    for group in groups:
        found[group] = None
        if group not in read_by:
            found[group] = "the catalog does not name the group, so its topics are not known"
        for name in read_by.get(group, ()):
            if name not in stay:
                continue
            longest = stay[name]
            if longest is None:
                found[group] = f"topic {name} keeps its records forever"
            elif longest + _MARGIN > timedelta(days=days):
                needed = -(-(longest + _MARGIN) // timedelta(days=1))
                raise ConfigurationInvalid(
                    f"EVENT_BUS_INBOX_RETENTION_DAYS is {days}, but topic {name} may keep a record "
                    f"for {needed - 1} days (retention.ms and segment.ms): a record that is read "
                    f"again would have its effects again. Set it to {needed} or more, or shorten "
                    "the topic's retention"
                )
    return found


def inbox_groups(connection: psycopg.Connection[Any]) -> list[str]:
    """The groups that have an inbox in this database."""
    return [name for (name,) in connection.execute(load(__package__, "list_groups.sql"))]


def prune_inbox(
    connection: psycopg.Connection[Any], topics: GroupTopics, before: datetime, *, dry_run: bool
) -> Iterator[Part]:
    """Yields what was deleted of each kind. before: what is younger stays. Raises psycopg.Error."""
    free = [group for group, reason in topics.items() if reason is None]
    for group, reason in topics.items():
        if reason is not None:
            part = Part(f"inbox of group {group}")
            part.stays[reason] = 0
            yield part
    given = {"groups": free, "before": before, "dry_run": dry_run}
    processed = Part("inbox rows")
    row = connection.execute("select pg_relation_size('inbox.processed') / 8192").fetchone()
    for first in range(0, (row[0] if row else 0) + 1, _BLOCKS):
        blocks = {"from": f"({first},0)", "to": f"({first + _BLOCKS},0)"}
        processed.deleted += delete(connection, "delete_processed.sql", given | blocks)
    yield processed
    for what, query in (
        ("settled dead letters", "delete_dead_letters.sql"),
        ("outcomes of events that are gone", "delete_old_outcomes.sql"),
    ):
        yield Part(what, delete(connection, query, given))


def delete(connection: psycopg.Connection[Any], query: str, parameters: Mapping[str, Any]) -> int:
    """Runs a query that returns how many rows go. Raises psycopg.Error."""
    row = connection.execute(load(__package__, query), parameters).fetchone()
    return row[0] if row else 0
