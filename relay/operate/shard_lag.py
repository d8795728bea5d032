"""How far each shard is behind: events that are fresh to its position and not published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from relay.capture.position import BEGINNING, Position
from relay.postgres.sqlfile import load

__all__ = ["ShardStatus", "read_shards"]


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """worker: the one that took it over last. position: as in its record; lag: events behind it.

    unowned_seconds: how long no worker has shown that it works on the shard, once that is longer
    than the session timeout; None while one does, and where none ever did.
    """

    shard: int
    worker: str | None
    position: dict[str, Any] | None
    lag: int
    unowned_seconds: float | None = None


def read_shards(
    connection: psycopg.Connection[Any], shards: int, session_timeout_ms: int
) -> tuple[list[ShardStatus], float | None]:
    """All shards, and the age of the oldest event behind any of them, in seconds.

    session_timeout_ms: EVENT_BUS_SESSION_TIMEOUT_MS; workers renew their shards three times in it.
    """
    rows = connection.execute(load(__package__, "read_shards.sql"), {"shards": shards}).fetchall()
    positions = [
        Position(BEGINNING) if position is None else Position.from_json(position)
        for *_, position, _ in rows
    ]
    # Inside a page run, what is left of it lies behind a row and not behind a transaction.
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
