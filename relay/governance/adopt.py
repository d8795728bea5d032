"""Takes over what was in use before it was reviewed."""

from __future__ import annotations

from typing import Any

import psycopg

from relay.catalog import Catalog
from relay.governance import store

__all__ = ["adopt_catalog"]


def adopt_catalog(connection: psycopg.Connection[Any], catalog: Catalog, by: str) -> int:
    """Adopts the active, deprecated and retired versions of event types that no decision is known
    of, in the states that the catalog gives them; how many they were.

    Whatever the catalog lists for an event type later has to be proposed. Doing it again changes
    nothing.
    """
    return sum(
        store.adopt(connection, list(event_type.versions.values()), by)
        for event_type in catalog.event_types.values()
    )
