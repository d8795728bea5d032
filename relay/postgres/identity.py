"""Which database a position belongs to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import psycopg

from relay.postgres.sqlfile import load

__all__ = ["Identity", "read_identity"]


@dataclass(frozen=True, slots=True)
class Identity:
    """A database on a PostgreSQL cluster, in one line of its history.

    system: the cluster's system identifier, as text since it does not fit JSON's numbers.
    database: oid. timeline: goes up with each promotion of a standby and each restore to a point
    in time.
    """

    system: str
    database: int
    timeline: int

    def same_database(self, other: Identity) -> bool:
        """Whether the two differ in nothing but the timeline."""
        return self.system == other.system and self.database == other.database

    def to_json(self) -> dict[str, Any]:
        """As it stands in a position record."""
        return asdict(self)

    def __str__(self) -> str:
        return f"system {self.system}, database {self.database}, timeline {self.timeline}"


def read_identity(connection: psycopg.Connection[Any]) -> Identity:
    """The identity of the database behind `connection`; it can't change while that is open.

    Sources: pg_control_system() and the timeline in pg_walfile_name() of PostgreSQL.
    """
    row = connection.execute(load(__package__, "read_identity.sql")).fetchone()
    assert row is not None
    return Identity(row[0], row[1], row[2])
