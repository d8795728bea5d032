"""Identifies the database that a position belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from relay.postgres.sqlfile import load

__all__ = ["Identity", "read_identity"]


@dataclass(frozen=True, slots=True)
class Identity:
    """A database of a PostgreSQL cluster, on one timeline.

    system: the cluster's system identifier, a string since it does not fit JSON's numbers.
    database: oid. timeline: increases with each promotion of a standby and each restore to a
    point in time. started: when the server was started; "" where that is not known, as in a
    position. A restarted server may be a restored copy of its files, which has all else alike.
    """

    system: str
    database: int
    timeline: int
    started: str = ""

    def same_database(self, other: Identity) -> bool:
        """Checks whether the two are one database, on whatever timeline."""
        return self.system == other.system and self.database == other.database

    def to_json(self) -> dict[str, Any]:
        """Returns the fields for a position record."""
        return {"system": self.system, "database": self.database, "timeline": self.timeline}

    def __str__(self) -> str:
        return f"system {self.system}, database {self.database}, timeline {self.timeline}"


def read_identity(connection: psycopg.Connection[Any]) -> Identity:
    """Reads the identity of the connected database; it can't change while that is open.

    Sources: pg_control_system() and the timeline in pg_walfile_name() of PostgreSQL.
    """
    row = connection.execute(load(__package__, "read_identity.sql")).fetchone()
    assert row is not None
    return Identity(*row)
