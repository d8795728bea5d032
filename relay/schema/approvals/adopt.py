"""Adopts versions that were in use before the review: all of them once, or one event type's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

from relay.postgres.sqlfile import load
from relay.schema.catalog import Catalog, EventType, SchemaVersion

__all__ = ["adopt_catalog", "adopt_event_type", "adoptable"]

Connection = psycopg.Connection[Any]


def adoptable(event_types: Iterable[EventType]) -> list[SchemaVersion]:
    """Lists the versions that need no review: the catalog has them as in use, or retired."""
    versions = (version for each in event_types for version in each.versions.values())
    return [version for version in versions if version.state.has_been_in_use]


def adopt_catalog(connection: Connection, catalog: Catalog, by: str) -> int:
    """Begins the review: adopts all versions of `adoptable`, in their states; returns how many.

    Happens once: nothing is adopted where any decision exists already.
    """
    return _adopt(connection, catalog.event_types.values(), by, None, whole_catalog=True)


def adopt_event_type(connection: Connection, event_type: EventType, by: str, reason: str) -> int:
    """Adopts the versions of one event type; returns how many.

    Nothing is adopted where anything was decided about the event type already.
    """
    return _adopt(connection, [event_type], by, reason, whole_catalog=False)


def _adopt(
    connection: Connection,
    event_types: Iterable[EventType],
    by: str,
    reason: str | None,
    *,
    whole_catalog: bool,
) -> int:
    versions = adoptable(event_types)
    columns = (
        *("event_type", "aggregate_type", "version", "subject"),
        *("fingerprint", "logical_digest", "text", "state"),
    )
    given = {f"{name}s": [getattr(version, name) for version in versions] for name in columns}
    with connection.transaction():
        # Of two that find no decision, or one that proposes meanwhile, one comes first.
        connection.execute("lock table outbox.schema_versions in share row exclusive mode")
        return connection.execute(
            load(__package__, "adopt_versions.sql"),
            {"by": by, "reason": reason, "whole_catalog": whole_catalog, **given},
        ).rowcount
