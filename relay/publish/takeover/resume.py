"""Decides where a shard continues, from two records and the database's identity, without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from relay.capture.position import Snapshot
from relay.errors import PositionRefused
from relay.postgres.identity import Identity
from relay.publish.record import PositionRecord

__all__ = ["Continue", "Decision", "Recover", "Redo", "Start", "decide"]


@dataclass(frozen=True, slots=True)
class Start:
    """Nothing was ever published."""


@dataclass(frozen=True, slots=True)
class Continue:
    """The last transaction is flagged: continue after it."""

    record: PositionRecord


@dataclass(frozen=True, slots=True)
class Redo:
    """The last transaction is in Kafka, its flags are not in the database."""

    record: PositionRecord


@dataclass(frozen=True, slots=True)
class Recover:
    """The position does not show what is published: compare table and topics.

    number: the highest transaction number known. mirror: all rows that its position has passed have
    a flag or a hold in this database; None: nothing is known of any row.
    """

    reason: str
    number: int
    mirror: PositionRecord | None = None


Decision: TypeAlias = Start | Continue | Redo | Recover


def decide(
    shard: int,
    shards: int,
    identity: Identity,
    now: Snapshot,
    record: PositionRecord | None,
    mirror: PositionRecord | None,
) -> Decision:
    """Decides by a shard's last position record and its mirror in the database.

    now: the database's snapshot when the mirror was read.

    Raises PositionRefused for a position of another database or another number of shards, and for
    a database whose timeline is older than the position's: that is a former primary.
    """
    for known in (record, mirror):
        if known is None:
            continue
        if not identity.same_database(known.identity):
            raise PositionRefused(
                f"the position of shard {shard} belongs to {known.identity}, this database is "
                f"{identity}. Point EVENT_BUS_DATABASE_URL at the right one, or run `relay recover`"
            )
        if known.shards != shards:
            raise PositionRefused(
                f"the position of shard {shard} is one of {known.shards} shards, EVENT_BUS_SHARDS "
                f"is {shards}. Set it back"
            )
        if known.identity.timeline > identity.timeline:
            raise PositionRefused(
                f"this database is on timeline {identity.timeline}, the position of shard {shard} "
                f"on {known.identity.timeline}: this is a former primary. Point "
                "EVENT_BUS_DATABASE_URL at the one that was promoted, or run `relay recover`"
            )
    if record is None:
        # A mirror with number 0 means a shard that was taken over and has published nothing.
        if mirror is None or mirror.number == 0:
            return Start()
        return Recover("the positions topic has no record of this shard", mirror.number, mirror)
    if record.identity.timeline < identity.timeline:
        return Recover(
            f"a standby was promoted or the database restored: timeline {identity.timeline}, "
            f"the position's is {record.identity.timeline}",
            max(record.number, mirror.number if mirror else 0),
            mirror,
        )
    if not record.position.is_possible(now):
        return Recover(
            f"the server is at {now} and can't have been at {record.position.last} before: its "
            "files were restored from a copy",
            max(record.number, mirror.number if mirror else 0),
            mirror if mirror and mirror.position.is_possible(now) else None,
        )
    if mirror is None:
        return Recover("the database has no mirror of the position", record.number)
    if record.number < mirror.number:
        return Recover(
            f"the positions topic is at transaction {record.number}, the database at "
            f"{mirror.number}",
            mirror.number,
            mirror,
        )
    if record.number > mirror.number + 1:
        return Recover(
            f"the database is at transaction {mirror.number}, the positions topic at "
            f"{record.number}",
            record.number,
            mirror,
        )
    return Continue(record) if record.number == mirror.number else Redo(record)
