"""What a transaction leaves for the database, and what that knows of a shard and its rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from relay.capture.position import Snapshot
from relay.kafka.offsets import Partition
from relay.publish.holds import Aggregate, Hold
from relay.publish.record import PositionRecord
from relay.publish.takeover.read_from import Noted

__all__ = ["BatchOutcome", "FlaggedRow", "MatchedRow", "Mirror"]


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """The result of one transaction of a shard, to be written to the database.

    deliveries: lines of COPY text for copy_deliveries.sql. holds: of rows that were not produced.
    released: seqs whose holds end. read_from: ends of the topics that were seen before the
    transaction began; None: those in the database stay.
    """

    shard: int
    epoch: int
    record: PositionRecord
    deliveries: bytes = b""
    holds: tuple[Hold, ...] = ()
    released: tuple[int, ...] = field(default=())
    read_from: Noted | None = None


@dataclass(frozen=True, slots=True)
class Mirror:
    """What the database knows of a shard.

    record: the last position record whose flags are written. read_from: see
    relay.publish.takeover.read_from. snapshot: of the reading.
    """

    record: PositionRecord | None
    read_from: Noted | None
    snapshot: Snapshot


class MatchedRow(NamedTuple):
    """The row of an event in a topic. seq: None where it is gone."""

    event_id: str
    seq: int | None


class FlaggedRow(NamedTuple):
    """A row whose flags name a record. place: topic and partition."""

    seq: int
    event_id: str
    aggregate: Aggregate
    place: Partition
    offset: int
