"""Lag: how many events shards still have to publish, and consumer groups to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from confluent_kafka.admin import AdminClient

from relay.capture.position import BEGINNING, Position, beyond
from relay.kafka.clients import reader
from relay.kafka.offsets import Bounds, Partition, committed_offsets, read_bounds
from relay.kafka.ranges import read_ranges
from relay.postgres.sqlfile import load
from relay.settings import Settings

__all__ = ["ShardStatus", "group_lags", "read_shards"]

# If no more offsets than this are left, the records among them are counted: the rest are markers of
# transactions, and a topic that is fully read ends with one.
_COUNTED: Final = 500


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """worker: the last that took it over. position: as in its record. lag: events after it.

    unowned_seconds: time since a worker last renewed the shard, if that is longer than the session
    timeout; otherwise, and if no worker ever did, None.
    """

    shard: int
    worker: str | None
    position: dict[str, Any] | None
    lag: int
    unowned_seconds: float | None = None


def read_shards(
    connection: psycopg.Connection[Any], shards: int, session_timeout_ms: int
) -> tuple[list[ShardStatus], float | None]:
    """Returns all shards, and the age in seconds of the oldest event that they have to publish.

    session_timeout_ms: EVENT_BUS_SESSION_TIMEOUT_MS; workers renew their shards three times in it.
    """
    rows = connection.execute(load(__package__, "read_shards.sql"), {"shards": shards}).fetchall()
    positions = [
        Position(BEGINNING) if position is None else Position.from_json(position)
        for *_, position, _ in rows
    ]
    lags = connection.execute(
        load(__package__, "count_lag.sql"),
        {
            "shards": shards,
            "numbers": [number for number, *_ in rows],
            "seen": [str(position.seen) for position in positions],
            "upto": [position.upto and str(position.upto) for position in positions],
            "afters": [position.after for position in positions],
            **beyond(positions),
        },
    ).fetchall()
    lag_of = {number: lag for number, lag, _ in lags}
    return (
        [
            ShardStatus(
                number,
                worker,
                position,
                lag_of.get(number, 0),
                silent if silent is not None and silent * 1000 > session_timeout_ms else None,
            )
            for number, worker, position, silent in rows
        ],
        max((age for *_, age in lags), default=None),
    )


def group_lags(
    settings: Settings, admin: AdminClient, groups: Mapping[str, Iterable[str]]
) -> dict[str, int]:
    """Returns group -> number of records of its topics that it still has to read.

    groups: topics by group. Exact for partitions with few records left; for others offsets are
    counted, including the markers of transactions. Raises BrokerUnavailable.
    """
    bounds = read_bounds(admin, sorted({topic for topics in groups.values() for topic in topics}))
    wanted = {
        group: [place for place in bounds if place[0] in set(topics)]
        for group, topics in groups.items()
    }
    committed = committed_offsets(settings, wanted)
    starts = {
        (group, place): max(committed[group].get(place, 0), bounds[place].low)
        for group, places in wanted.items()
        for place in places
    }
    near: dict[Partition, Bounds] = {}
    for (_, place), start in starts.items():
        end = bounds[place].end
        if 0 < end - start <= _COUNTED:
            lowest = min(start, near[place].low) if place in near else start
            near[place] = Bounds(lowest, end)
    offsets = _offsets(settings, near)
    lags = dict.fromkeys(groups, 0)
    for (group, place), start in starts.items():
        left = bounds[place].end - start
        if 0 < left <= _COUNTED:
            left = sum(offset >= start for offset in offsets[place])
        lags[group] += max(0, left)
    return lags


def _offsets(settings: Settings, near: Mapping[Partition, Bounds]) -> dict[Partition, list[int]]:
    """Returns the offsets of the records within bounds."""
    found: dict[Partition, list[int]] = {place: [] for place in near}
    if near:
        with closing(reader(settings)) as consumer:
            for messages in read_ranges(consumer, near):
                for message in messages:
                    place = message.topic() or "", message.partition() or 0
                    found[place].append(message.offset() or 0)
    return found
