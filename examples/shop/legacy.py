"""Legacy bridge: publishes by the SQL function, as a service in any language would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from relay.postgres.sqlfile import load

__all__ = ["complete", "request"]


def request(connection: psycopg.Connection[Any], sync_id: str, order_ids: Sequence[str]) -> str:
    """Asks the old system to take orders over; the id of LegacySyncRequested."""
    return _run(connection, "request_sync.sql", sync_id, order_ids)


def complete(connection: psycopg.Connection[Any], sync_id: str, order_ids: Sequence[str]) -> str:
    """Notes that the old system has taken orders over; the id of LegacySyncCompleted."""
    return _run(connection, "complete_sync.sql", sync_id, order_ids)


def _run(
    connection: psycopg.Connection[Any], file: str, sync_id: str, order_ids: Sequence[str]
) -> str:
    parameters = {"id": sync_id, "orders": list(order_ids)}
    row = connection.execute(load(__package__, file), parameters).fetchone()
    if row is None:
        raise LookupError(f"legacy sync {sync_id} is unknown. Request it first")
    return str(row[0])
