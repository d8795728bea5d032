"""The state of the outbox, the shards and the consumer groups, in numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import psycopg

from relay.kafka.topics import open_admin
from relay.operate.lag import ShardStatus, group_lags, read_shards
from relay.postgres.sqlfile import load
from relay.schema.catalog import Catalog
from relay.settings import Settings

__all__ = ["GroupStatus", "OutboxStatus", "RelayStatus", "ShardStatus", "read_status"]

Connection = psycopg.Connection[Any]

# Up to so many rows are counted one by one; beyond, the planner's figure has to do.
_COUNTED = 1_000_000


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """events: rows, an estimate beyond a million. undelivered: not published, held ones too.

    dead: given up by the relay or by any group. oldest_undelivered_seconds: None without any.
    """

    events: int
    undelivered: int
    dead: int
    oldest_undelivered_seconds: float | None


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """lag: records still to read. parked: tried again by themselves. dead: given up, unresolved."""

    group: str
    lag: int
    parked: int
    dead: int


@dataclass(frozen=True, slots=True)
class RelayStatus:
    """All of it, at one time."""

    outbox: OutboxStatus
    shards: tuple[ShardStatus, ...]
    groups: tuple[GroupStatus, ...]

    def to_json(self) -> dict[str, Any]:
        """As `relay status --json` has it."""
        return asdict(self)


def read_status(settings: Settings, connection: Connection) -> RelayStatus:
    """Reads it; the cost grows with the lag, not with the size of the outbox.

    Raises CatalogInvalid, BrokerUnavailable, psycopg.Error.
    """
    catalog = Catalog.load(settings.schemas_dir)
    admin = open_admin(settings)
    row = connection.execute("select shards from outbox.relay").fetchone()
    shards, oldest = read_shards(
        connection, row[0] if row else settings.shards, settings.session_timeout_ms
    )
    held, oldest_held = _one(connection, "count_holds.sql")
    ages = [age for age in (oldest, oldest_held) if age is not None]
    outbox = OutboxStatus(
        _count_events(connection),
        sum(shard.lag for shard in shards) + held,
        _one(connection, "count_dead.sql")[0],
        round(max(ages), 3) if ages else None,
    )
    lags = group_lags(settings, admin, catalog.groups)
    counts = connection.execute(load(__package__, "count_groups.sql"), {"groups": list(lags)})
    return RelayStatus(
        outbox,
        tuple(shards),
        tuple(GroupStatus(name, lags[name], parked, dead) for name, parked, dead in counts),
    )


def _count_events(connection: Connection) -> int:
    estimate = int(_one(connection, "estimate_events.sql")[0])
    if estimate > _COUNTED:
        return estimate
    row = connection.execute("select count(*) from outbox.domain_events").fetchone()
    assert row is not None
    return int(row[0])


def _one(connection: Connection, query: str) -> tuple[Any, ...]:
    row = connection.execute(load(__package__, query)).fetchone()
    assert row is not None
    return tuple(row)
