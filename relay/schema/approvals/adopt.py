"""Takes over what was in use before it was reviewed: all of it once, or by a person's decision."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

from relay.postgres.sqlfile import load
from relay.schema.catalog import Catalog, EventType, SchemaVersion, State

__all__ = ["adopt_catalog", "adopt_event_type", "adoptable", "has_begun"]

Connection = psycopg.Connection[Any]

# What is proposed or approved in a domain file still has its review before it.
_IN_USE = frozenset({State.ACTIVE, State.DEPRECATED, State.RETIRED})


def has_begun(connection: Connection) -> bool:
    """Whether any decision is known. From then on events need a version that is in use."""
    row = connection.execute(load(__package__, "has_begun.sql")).fetchone()
    return row is not None and bool(row[0])


def adoptable(event_types: Iterable[EventType]) -> list[SchemaVersion]:
    """The versions that the catalog lists as active, deprecated or retired."""
    return [
        version
        for event_type in event_types
        for version in event_type.versions.values()
        if version.state in _IN_USE
    ]


def adopt_catalog(connection: Connection, catalog: Catalog, by: str) -> int:
    """Begins the review: adopts what the catalog lists as in use, in these states; how many.

    Happens once: nothing is adopted where any decision is known already.
    """
    return _adopt(connection, adoptable(catalog.event_types.values()), by, None, asked=False)


def adopt_event_type(connection: Connection, event_type: EventType, by: str, reason: str) -> int:
    """Adopts what the catalog lists as in use of one event type; how many versions.

    Nothing is adopted where anything was decided about the event type already.
    """
    return _adopt(connection, adoptable([event_type]), by, reason, asked=True)


def _adopt(
    connection: Connection,
    versions: list[SchemaVersion],
    by: str,
    reason: str | None,
    *,
    asked: bool,
) -> int:
    with connection.transaction():
        # Of two that find nothing known, or one that proposes meanwhile, one is first.
        connection.execute("lock table outbox.schema_versions in share row exclusive mode")
        return connection.execute(
            load(__package__, "adopt_versions.sql"),
            {
                "by": by,
                "reason": reason,
                "asked": asked,
                "event_types": [version.event_type for version in versions],
                "versions": [version.version for version in versions],
                "subjects": [version.subject for version in versions],
                "fingerprints": [version.fingerprint for version in versions],
                "logical_digests": [version.logical_digest for version in versions],
                "texts": [version.text for version in versions],
                "states": [version.state.value for version in versions],
            },
        ).rowcount
