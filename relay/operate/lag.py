"""How many events shards have still to publish, and consumer groups to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from confluent_kafka.admin import AdminClient

from relay.capture.position import BEGINNING, Position
from relay.kafka.clients import reader
from relay.kafka.offsets import Bounds, Partition, committed_offsets, read_bounds
from relay.kafka.ranges import read_ranges
from relay.postgres.sqlfile import load
from relay.settings import Settings

__all__ = ["ShardStatus", "group_lags", "read_shards"]

# Where no more offsets than this are left, the records among them are counted: the rest are the
# markers of transactions, of which one stands at the end of a topic that is fully read.
_COUNTED: Final = 500


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """worker: the one that took it over last. position: as in its record; lag: events after it.

    unowned_seconds: how long no worker has renewed the shard, once that is longer than the session
    timeout; None while one does, and where none ever did.
    """

    shard: int
    worker: str | None
    position: dict[str, Any] | None
    lag: int
    unowned_seconds: float | None = None


def read_shards(
    connection: psycopg.Connection[Any], shards: int, session_timeout_ms: int
) -> tuple[list[ShardStatus], float | None]:
    """All shards, and the age of the oldest event that any of them has to publish, in seconds.

    session_timeout_ms: EVENT_BUS_SESSION_TIMEOUT_MS; workers renew their shards three times in it.
    """
    rows = connection.execute(load(__package__, "read_shards.sql"), {"shards": shards}).fetchall()
    positions = [
        Position(BEGINNING) if position is None else Position.from_json(position)
        for *_, position, _ in rows
    ]
    # Inside a page run, what is left of it comes after a row and not after a transaction.
    known = [position.upto or position.seen for position in positions]
    lags = connection.execute(
        load(__package__, "count_lag.sql"),
        {
            "shards": shards,
            "numbers": [number for number, *_ in rows],
            "seen": [str(position.seen) for position in positions],
            "upto": [position.upto and str(position.upto) for position in positions],
            "afters": [position.after for position in positions],
            "in_progress": sorted({str(xid) for seen in known for xid in seen.in_progress}),
            "xmax": str(min(seen.xmax for seen in known)),
            "after": min((p.after for p in positions if p.upto is not None), default=None),
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
    """Group -> records of its topics that it has still to read.

    groups: topics by group. Exact for partitions with a short way to go; for others offsets are
    counted, the markers of transactions among them. Raises BrokerUnavailable.
    """
    bounds = read_bounds(admin, sorted({topic for topics in groups.values() for topic in topics}))
    wanted = {
        group: [place for place in bounds if place[0] in set(topics)]
        for group, topics in groups.items()
    }
    committed = committed_offsets(admin, wanted)
    starts = {
        group: {place: max(committed[group].get(place, 0), bounds[place].low) for place in places}
        for group, places in wanted.items()
    }
    near: dict[Partition, Bounds] = {}
    for places in starts.values():
        for place, start in places.items():
            end = bounds[place].end
            if 0 < end - start <= _COUNTED:
                near[place] = Bounds(min(start, near.get(place, Bounds(start, end)).low), end)
    offsets = _offsets(settings, near)
    return {
        group: sum(
            sum(offset >= start for offset in offsets[place])
            if place in near and bounds[place].end - start <= _COUNTED
            else max(0, bounds[place].end - start)
            for place, start in places.items()
        )
        for group, places in starts.items()
    }


def _offsets(settings: Settings, near: Mapping[Partition, Bounds]) -> dict[Partition, list[int]]:
    """Offsets of the records within bounds."""
    found: dict[Partition, list[int]] = {place: [] for place in near}
    if near:
        consumer = reader(settings)
        try:
            for messages in read_ranges(consumer, near):
                for message in messages:
                    found[message.topic() or "", message.partition() or 0].append(
                        message.offset() or 0
                    )
        finally:
            consumer.close()
    return found
