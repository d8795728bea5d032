"""Reads and writes a worker's shards in PostgreSQL; each write is guarded by the epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import orjson
import psycopg

from relay.capture.position import BEGINNING, Position, Snapshot, Step, beyond
from relay.postgres.identity import Identity, read_identity
from relay.postgres.sqlfile import load
from relay.publish.errors import Fenced
from relay.publish.holds import Hold
from relay.publish.outcome import BatchOutcome, FlaggedRow, MatchedRow, Mirror
from relay.publish.record import PositionRecord
from relay.publish.takeover.read_from import Noted
from relay.publish.takeover.tail import PublishedRecord

__all__ = ["ShardStore", "count_holds"]


class ShardStore:
    """On one autocommit connection. Only its owner's thread may use it.

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

    def take(self, shard: int, worker: str) -> tuple[int, Mirror]:
        """Raises the epoch; returns it and the mirrored position. Raises PositionRefused."""
        (epoch,) = self._one("raise_epoch.sql", {"shard": shard, "worker": worker})
        text, read_from, snapshot = self._one("read_mirror.sql", {"shard": shard})
        record = None if text is None else PositionRecord.from_json(text)
        return epoch, Mirror(record, read_from, Snapshot.parse(snapshot))

    def end_stuck_writers(self, seconds: float) -> None:
        """Ends sessions of workers that have held locks on shards for longer than `seconds`."""
        self._connection.execute(load(__package__, "end_stuck_writers.sql"), {"seconds": seconds})

    def renew(self, held: Sequence[tuple[int, int]]) -> None:
        """Renews shards that are still worked on: (shard, epoch); other epochs are left alone."""
        self._connection.execute(
            load(__package__, "renew_shards.sql"),
            {"shards": [shard for shard, _ in held], "epochs": [epoch for _, epoch in held]},
        )

    def note(self, shard: int, epoch: int, read_from: Noted) -> None:
        """Notes from where a take-over has to read, for a shard all of whose flags are written.
        Raises Fenced."""
        self._guard([(shard, epoch, None, read_from)])

    def write(self, outcomes: Iterable[BatchOutcome]) -> None:
        """Writes flags, holds and mirrored positions in one transaction. Outcomes that are written
        already are skipped: the answer to their commit was lost.

        Raises Fenced, and writes nothing, when another worker holds one of the shards, or when an
        outcome is of another database or timeline, where its seqs belong to other rows, or the
        server was restarted since, which may be with files that were restored from a copy.
        """
        connection, identity = self._connection, self.identity
        outcomes = list(outcomes)
        for outcome in outcomes:
            if outcome.record.identity != identity:
                raise Fenced(
                    f"shard {outcome.shard} was taken over on another server, or before its restart"
                )
        with connection.transaction():
            new = self._guard(
                [(one.shard, one.epoch, one.record, one.read_from) for one in outcomes]
            )
            outcomes = [one for one in outcomes if one.shard in new]
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
        places: Sequence[tuple[int, PublishedRecord | None]],
        holds: Sequence[Hold] = (),
        released: Sequence[int] = (),
    ) -> None:
        """Writes the flags that a dead worker did not write. Raises Fenced.

        places: seq and place; None where retention has taken the record.
        """
        with self._connection.transaction():
            self._guard([(shard, epoch, record, None)])
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

    def holds(self, shard: int, longest_pause: float, *, with_dead: bool) -> list[Hold]:
        """The holds of a shard that may still be published; dead ones if they are asked for.

        longest_pause: seconds; longer ones are of a clock that was set back since.
        """
        return self._load_holds(
            "load_holds.sql",
            {"shard": shard, "longest_pause": longest_pause, "with_dead": with_dead},
        )

    def heads(self, shard: int) -> list[Hold]:
        """The holds of a shard that are to be retried now, or were discarded by a person."""
        return self._load_holds("load_heads.sql", {"shard": shard})

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

    def match(self, shard: int, places: Mapping[str, PublishedRecord]) -> list[MatchedRow]:
        """The rows of events of the shard that are not flagged yet.

        places: a record of each event, by the event's id. Pruned events are left out.
        """
        rows = self._connection.execute(
            load(__package__, "match_events.sql"),
            {
                "ids": list(places),
                "keys": [place.key for place in places.values()],
                "topics": [place.topic for place in places.values()],
                "partitions": [place.partition for place in places.values()],
                "offsets": [place.offset for place in places.values()],
                "shards": self._shards,
                "shard": shard,
            },
        )
        return [MatchedRow(*row) for row in rows]

    def flagged(self, shard: int, records: Mapping[tuple[str, int, int], str]) -> list[FlaggedRow]:
        """The rows of the shard whose flags name one of these records, by seq.

        records: event ids by topic, partition and offset.
        """
        if not records:
            return []
        rows = self._connection.execute(
            load(__package__, "find_flagged.sql"),
            {
                "ids": list(records.values()),
                "topics": [topic for topic, _, _ in records],
                "partitions": [partition for _, partition, _ in records],
                "offsets": [offset for _, _, offset in records],
                "shards": self._shards,
                "shard": shard,
            },
        )
        return [
            FlaggedRow(seq, event_id, (type_, id_), (topic, partition), offset)
            for seq, event_id, type_, id_, topic, partition, offset in rows
        ]

    def withdraw(self, shard: int, epoch: int, holds: Sequence[Hold]) -> None:
        """Takes the flags of events away and holds them. Raises Fenced."""
        with self._connection.transaction():
            self._guard([(shard, epoch, None, None)])
            self._connection.execute(
                "delete from outbox.deliveries where seq = any(%s)", ([h.seq for h in holds],)
            )
            self._write_holds(shard, holds, ())

    def has_work(self) -> bool:
        """Whether events are to be published now or retried later, in any shard."""
        rows = self._connection.execute(
            "select position -> 'position' from outbox.mirrors"
        ).fetchall()
        positions = [Position.from_json(position) for (position,) in rows]
        if len(positions) < self._shards:
            positions.append(Position(BEGINNING))
        found = self._connection.execute(
            load(__package__, "has_work.sql"),
            beyond(positions),
        ).fetchone()
        return found is not None

    def has_deliveries(self) -> bool:
        """Whether anything was ever flagged or held in this outbox."""
        row = self._connection.execute(
            "select exists (select from outbox.deliveries) or exists (select from outbox.holds) "
            "or exists (select from outbox.pruned)"
        ).fetchone()
        return bool(row and row[0])

    def _guard(
        self, held: Sequence[tuple[int, int, PositionRecord | None, Noted | None]]
    ) -> set[int]:
        """Locks shards that are held under an epoch, and mirrors their positions where given.

        Returns the shards whose positions were not mirrored before. Raises Fenced.
        """
        rows = self._connection.execute(
            load(__package__, "mirror_positions.sql"),
            {
                "shards": [shard for shard, _, _, _ in held],
                "epochs": [epoch for _, epoch, _, _ in held],
                "numbers": [record and record.number for _, _, record, _ in held],
                "positions": [record and record.to_bytes().decode() for _, _, record, _ in held],
                # Empty where there is no topic, None where nothing was seen.
                "read_from": [
                    None if noted is None else orjson.dumps(noted).decode()
                    for _, _, _, noted in held
                ],
            },
        ).fetchall()
        found = {row[:2]: row[3] for row in rows}
        for shard, epoch, record, _ in held:
            if (shard, epoch) not in found:
                raise Fenced(f"shard {shard} is no longer held under epoch {epoch}")
            if record and record.position.seen.xmax > found[shard, epoch]:
                raise Fenced(f"the server of shard {shard} was restored from a copy")
        return {shard for shard, _, is_new, _ in rows if is_new}

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
                "retry_in": hold.retry_in,
                "discard": hold.discard,
            }
            for hold in holds
        ]
        if rows:
            self._connection.cursor().executemany(load(__package__, "add_holds.sql"), rows)

    def _one(self, query: str, parameters: Mapping[str, Any]) -> Any:
        row = self._connection.execute(load(__package__, query), parameters).fetchone()
        assert row is not None
        return row

    def _load_holds(self, query: str, parameters: Mapping[str, Any]) -> list[Hold]:
        return [
            Hold(seq, event_id, (type_, id_), *others)
            for seq, event_id, type_, id_, *others in self._connection.execute(
                load(__package__, query), parameters
            )
        ]


def count_holds(connection: psycopg.Connection[Any]) -> tuple[int, int]:
    """How many events are dead, and how many others are held. Raises psycopg.Error."""
    row = connection.execute(
        "select count(*) filter (where state = 'dead'), "
        "count(*) filter (where state in ('failing', 'held')) from outbox.holds"
    ).fetchone()
    assert row is not None
    return row[0], row[1]
