"""Where the feed reads on for each shard, and what it gives to shards."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from relay.capture.position import Position, Step
from relay.capture.row import Row
from relay.postgres.identity import Identity

__all__ = ["Cursor", "ShardRows", "ShardSink", "furthest_behind"]


@dataclass(frozen=True, slots=True)
class ShardRows:
    """A step's rows of one shard, in the order of seq.

    size: bytes of their payloads or Avro, about. durable: done once all that the page's snapshot
    saw is on disk, or with SnapshotLost. Until then a crash of the database could undo what was
    read and give the transactions' ids to others.
    """

    step: Step
    rows: list[Row]
    size: int
    durable: Future[None] = field(compare=False)


class ShardSink(Protocol):
    """A shard as the feed uses it."""

    def offer(self, part: ShardRows) -> bool:
        """Queues a part; False when there is no room for it now."""

    def lost(self, reason: str) -> None:
        """The database connection broke: rows that were not on disk then may be gone."""


@dataclass(slots=True)
class Cursor:
    """Where the feed reads on for a shard.

    left: a part that the shard had no room for; until it takes that, nothing more is read for it.
    is_behind: it lets the others of its worker go on, until it has caught up with them.
    """

    sink: ShardSink
    identity: Identity
    position: Position
    left: ShardRows | None = None
    is_behind: bool = False


def furthest_behind(waiting: dict[int, Cursor]) -> tuple[Position, dict[int, Cursor]]:
    """The shards that one query can serve, and where it begins.

    Inside one page run the shards may be at different rows; each skips what it has.
    """
    first = min(
        (cursor.position for cursor in waiting.values()),
        key=lambda position: (position.seen.xmax, position.after),
    )
    group = {
        shard: cursor
        for shard, cursor in waiting.items()
        if (cursor.position.seen, cursor.position.upto, cursor.position.recovering)
        == (first.seen, first.upto, first.recovering)
    }
    return min((c.position for c in group.values()), key=lambda position: position.after), group
