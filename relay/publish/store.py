"""What a worker writes to and reads from PostgreSQL about its shards, each write guarded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import psycopg

from relay.capture.position import Step
from relay.postgres.identity import Identity, read_identity
from relay.postgres.sqlfile import load
from relay.publish.errors import Fenced
from relay.publish.holds import Hold
from relay.publish.record import Ends, PositionRecord
from relay.publish.takeover.tail import Place

__all__ = ["Outcome", "Store"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one transaction of a shard did, to be written to the database.

    deliveries: lines of COPY text for copy_deliveries.sql. holds: rows that were not produced.
    released: seqs whose holds are over.
    """

    shard: int
    epoch: int
    record: PositionRecord
    deliveries: bytes = b""
    holds: tuple[Hold, ...] = ()
    released: tuple[int, ...] = field(default=())


class Store:
    """On one autocommit connection; its owner's thread alone may use it.

    All methods raise psycopg.Error when the database can't be reached.
    """

    def __init__(self, connection: psycopg.Connection[Any], shards: int) -> None:
        """shards: the pinned number."""
        self._connection = connection
        self._shards = shards

    @cached_property
    def identity(self) -> Identity:
        """Of the database that is written to."""
        return read_identity(self._connection)

    def take(self, shard: int, worker: str) -> tuple[int, PositionRecord | None]:
        """Raises the shard's epoch; gives it and the mirrored position. Raises PositionRefused."""
        row = self._connection.execute(
            load(__package__, "raise_epoch.sql"), {"shard": shard, "worker": worker}
        ).fetchone()
        assert row is not None
        return row[0], None if row[1] is None else PositionRecord.from_json(row[1])

    def renew(self, held: Sequence[tuple[int, int]]) -> None:
        """Shows that shards are still worked on: (shard, epoch); other epochs stay as they are."""
        self._connection.execute(
            load(__package__, "renew_shards.sql"),
            {"shards": [shard for shard, _ in held], "epochs": [epoch for _, epoch in held]},
        )

    def write(self, outcomes: Iterable[Outcome]) -> None:
        """Writes flags, holds and mirrored positions in one transaction; those that are there
        already, since only the answer to their commit was lost, are passed over.

        Raises Fenced when one of the shards belongs to someone else, or when one of the outcomes is
        of another database or timeline, where its numbers are other rows'; nothing is written then.
        """
        connection, identity = self._connection, self.identity
        outcomes = list(outcomes)
        for outcome in outcomes:
            if outcome.record.identity != identity:
                raise Fenced(f"shard {outcome.shard} was taken over on another database")
        with connection.transaction():
            stood_at = self._guard([(one.shard, one.epoch, one.record) for one in outcomes])
            outcomes = [one for one in outcomes if stood_at[one.shard] != one.record.number]
            if lines := b"".join(outcome.deliveries for outcome in outcomes):
                with connection.cursor().copy(load(__package__, "copy_deliveries.sql")) as copy:
                    copy.write(lines)
            for outcome in outcomes:
                self._write_holds(outcome.shard, outcome.holds, outcome.released)

    def repair(
        self,
        shard: int,
        epoch: int,
        record: PositionRecord | None,
        places: Sequence[tuple[int, Place | None]],
        holds: Sequence[Hold] = (),
        released: Sequence[int] = (),
    ) -> None:
        """Writes the flags that a dead worker did not write. Raises Fenced.

        places: seq and place; None where retention has taken the record.
        """
        with self._connection.transaction():
            self._guard([(shard, epoch, record)])
            if places:
                self._connection.execute(
                    load(__package__, "add_deliveries.sql"),
                    {
                        "seqs": [seq for seq, _ in places],
                        "copies": [place.copy if place else 0 for _, place in places],
                        "topics": [place.topic if place else "" for _, place in places],
                        "partitions": [place.partition if place else None for _, place in places],
                        "offsets": [place.offset if place else None for _, place in places],
                    },
                )
            self._write_holds(shard, holds, released)

    def holds(self, shard: int) -> list[Hold]:
        """All holds of a shard."""
        return self._load_holds("load_holds.sql", shard)

    def heads(self, shard: int) -> list[Hold]:
        """Those holds of a shard that do not just wait behind another."""
        return self._load_holds("load_heads.sql", shard)

    def undelivered(self, shard: int, step: Step) -> dict[str, int]:
        """Event id -> seq of the rows of a step that have neither flag nor hold."""
        rows = self._connection.execute(
            load(__package__, "find_undelivered.sql"),
            {
                "after": step.after,
                "through": step.through,
                "in_progress": list(map(str, step.seen.in_progress)),
                "xmax": str(step.seen.xmax),
                "upto": str(step.upto),
                "shards": self._shards,
                "shard": shard,
            },
        )
        return {event_id: seq for seq, event_id in rows}

    def released(self, seqs: Sequence[int]) -> dict[str, int]:
        """Event id -> seq of those held events that have no flag yet."""
        rows = self._connection.execute(
            load(__package__, "find_released.sql"), {"seqs": list(seqs)}
        )
        return {event_id: seq for seq, event_id in rows}

    def last_offsets(self, shard: int) -> Ends:
        """The highest flagged offset of a shard's events, by topic and partition."""
        ends: Ends = {}
        for topic, partition, offset in self._connection.execute(
            load(__package__, "find_last_offsets.sql"), {"shards": self._shards, "shard": shard}
        ):
            ends.setdefault(topic, {})[partition] = offset
        return ends

    def match(self, shard: int, places: Mapping[str, Place]) -> dict[str, int | None]:
        """Event id -> seq of its row, for those of the shard; None where there is no such row."""
        return dict(
            self._connection.execute(
                load(__package__, "match_events.sql"),
                {
                    "ids": list(places),
                    "keys": [place.key for place in places.values()],
                    "shards": self._shards,
                    "shard": shard,
                },
            ).fetchall()
        )

    def has_deliveries(self) -> bool:
        """Whether anything was ever flagged or held in this outbox."""
        row = self._connection.execute(
            "select exists (select from outbox.deliveries) or exists (select from outbox.holds)"
        ).fetchone()
        return bool(row and row[0])

    def _guard(self, held: Sequence[tuple[int, int, PositionRecord | None]]) -> dict[int, int]:
        """Locks shards that are held under an epoch, and mirrors their positions where given.

        Returns the numbers that their mirrors stood at, -1 for none. Raises Fenced.
        """
        rows = self._connection.execute(
            load(__package__, "mirror_positions.sql"),
            {
                "shards": [shard for shard, _, _ in held],
                "epochs": [epoch for _, epoch, _ in held],
                "positions": [record and record.to_bytes().decode() for _, _, record in held],
            },
        ).fetchall()
        stale = {(shard, epoch) for shard, epoch, _ in held} - {row[:2] for row in rows}
        if stale:
            raise Fenced(
                "; ".join(
                    f"shard {shard} is no longer held under epoch {epoch}"
                    for shard, epoch in sorted(stale)
                )
            )
        return {shard: -1 if number is None else number for shard, _, number in rows}

    def _write_holds(self, shard: int, holds: Iterable[Hold], released: Sequence[int]) -> None:
        if released:
            self._connection.execute(
                load(__package__, "release_holds.sql"), {"seqs": list(released)}
            )
        rows = [
            {
                "seq": hold.seq,
                "event_id": hold.event_id,
                "shard": shard,
                "aggregate_type": hold.aggregate[0],
                "aggregate_id": hold.aggregate[1],
                "state": hold.state,
                "attempts": hold.attempts,
                "error": hold.error,
                "next_attempt_at": hold.next_attempt_at,
            }
            for hold in holds
        ]
        if rows:
            self._connection.cursor().executemany(load(__package__, "add_holds.sql"), rows)

    def _load_holds(self, query: str, shard: int) -> list[Hold]:
        rows = self._connection.execute(load(__package__, query), {"shard": shard}).fetchall()
        return [
            Hold(seq, event_id, (type_, id_), state, attempts, error, next_at)
            for seq, event_id, type_, id_, state, attempts, error, next_at in rows
        ]
