"""The state of the outbox, the shards and the consumer groups, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from relay.errors import BrokerUnavailable
from relay.kafka.topics import open_admin
from relay.operate.lag import ShardStatus, group_lags, read_shards
from relay.postgres.sqlfile import load
from relay.schema.catalog import Catalog
from relay.settings import Settings

__all__ = ["GroupStatus", "OutboxStatus", "RelayStatus", "ShardStatus", "read_status"]


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """events: rows, an estimate beyond a million. undelivered: not published, held ones too.

    dead: of the relay or of any group, neither resolved nor discarded. discarded: before they were
    published. oldest_undelivered_seconds: None without any. pruned: deleted by `relay prune` so
    far.
    """

    events: int
    undelivered: int
    dead: int
    discarded: int
    oldest_undelivered_seconds: float | None
    pruned: int


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """lag: records still to read, None while Kafka is unavailable. parked: will be retried. dead:
    dead letters that are neither resolved nor discarded."""

    group: str
    lag: int | None
    parked: int
    dead: int


@dataclass(frozen=True, slots=True)
class RelayStatus:
    """The status of everything at one time. problem: why the groups' lags are not known."""

    outbox: OutboxStatus
    shards: tuple[ShardStatus, ...]
    groups: tuple[GroupStatus, ...]
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The document of `relay status --json`."""
        document = asdict(self)
        del document["problem"]
        return document


def read_status(settings: Settings, connection: psycopg.Connection[Any]) -> RelayStatus:
    """Reads the status; the cost grows with the lag, not with the size of the outbox.

    Raises CatalogInvalid, psycopg.Error.
    """
    catalog = Catalog.load(settings.schemas_dir)
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        found: Any = cursor.execute(load(__package__, "count_events.sql")).fetchone()
    shards, oldest = read_shards(
        connection, found.shards or settings.shards, settings.session_timeout_ms
    )
    ages = [age for age in (oldest, found.oldest_held_seconds) if age is not None]
    problem = None
    lags: Mapping[str, int | None]
    try:
        lags = group_lags(settings, open_admin(settings), catalog.groups)
    except BrokerUnavailable as error:
        lags, problem = dict.fromkeys(catalog.groups), str(error)
    counts = connection.execute(load(__package__, "count_groups.sql"), {"groups": list(lags)})
    return RelayStatus(
        OutboxStatus(
            found.events,
            sum(shard.lag for shard in shards) + found.held,
            found.dead,
            found.discarded,
            round(max(ages), 3) if ages else None,
            found.pruned,
        ),
        tuple(shards),
        tuple(GroupStatus(name, lags[name], parked, dead) for name, parked, dead in counts),
        problem,
    )
