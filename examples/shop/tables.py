"""The shop's own tables: each service has one for its state and one for its audit rows."""

from __future__ import annotations

from typing import Any

import psycopg

from relay.postgres.sqlfile import load

__all__ = ["create_tables"]


def create_tables(connection: psycopg.Connection[Any]) -> None:
    """Creates the schema `shop` with all tables; doing it again changes nothing."""
    connection.execute(load(__package__, "create_tables.sql"))
