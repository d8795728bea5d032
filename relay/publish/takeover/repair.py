"""Takes a shard over: fences the last owner, repairs what it left undone, finds the position."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer

from relay.capture.position import BEGINNING, Position
from relay.observe import Events, FlagsRedone
from relay.postgres.identity import Identity
from relay.publish.holds import Hold
from relay.publish.record import Ends, PositionRecord
from relay.publish.store import Store
from relay.publish.takeover import tail
from relay.publish.takeover.resume import Continue, Recover, Redo, Start, decide
from relay.publish.takeover.tail import Place

__all__ = ["TakenOver", "take_over"]

log = logging.getLogger(__name__)

# The places of an event whose records retention has taken.
_UNKNOWN: Sequence[Place | None] = (None,)


@dataclass(frozen=True, slots=True)
class TakenOver:
    """A shard as its new owner finds it.

    identity: of the database that the position belongs to. number: of the last transaction.
    """

    identity: Identity
    epoch: int
    number: int
    position: Position
    holds: Sequence[Hold]


def take_over(
    shard: int,
    shards: int,
    worker: str,
    store: Store,
    identity: Identity,
    record: PositionRecord | None,
    consumer: Consumer,
    ends_now: Callable[[Iterable[str] | None], Ends],
    exactly_once: bool,
    events: Events,
) -> TakenOver:
    """Goes on where the last owner stopped. The producer must have fenced it before.

    record: the last one of the positions topic. consumer: sees committed records and ends.
    ends_now: high watermarks of those topics of some, or of all, that exist.
    Raises PositionRefused, Fenced, BrokerUnavailable, psycopg.Error.
    """
    epoch, mirror = store.take(shard, worker)
    if not exactly_once:
        # There the database's position is the only one: flags and position commit together.
        record = mirror
    match decide(shard, shards, identity, record, mirror):
        case Start():
            number, position = 0, Position(BEGINNING, recovering=store.has_deliveries())
            # From here on a record without a mirror means that the database has lost something.
            store.repair(
                shard, epoch, PositionRecord(0, shard, shards, store.identity, position), []
            )
        case Continue(last):
            number, position = last.number, last.position
        case Redo(last):
            _redo(shard, epoch, store, last, consumer, ends_now, events)
            number, position = last.number, last.position
        case Recover(reason, number):
            log.warning("shard %d is recovered from table and topics: %s", shard, reason)
            _recover(shard, epoch, store, consumer, ends_now)
            position = Position(BEGINNING, recovering=True)
    return TakenOver(identity, epoch, number, position, store.holds(shard))


def _redo(
    shard: int,
    epoch: int,
    store: Store,
    record: PositionRecord,
    consumer: Consumer,
    ends_now: Callable[[Iterable[str] | None], Ends],
    events: Events,
) -> None:
    """Writes the flags and holds of the last transaction."""
    held = {hold.seq for hold in record.not_produced}
    produced = store.released([seq for seq in record.released if seq not in held])
    for step in record.steps:
        produced |= store.undelivered(shard, step)
    wanted = {event_id: seq for event_id, seq in produced.items() if seq not in held}
    stops = ends_now(record.ends)
    places = tail.find(consumer, record.ends, stops, wanted.keys(), len(wanted))
    events.emit(FlagsRedone(shard, len(wanted)))
    store.repair(
        shard,
        epoch,
        record,
        [
            (seq, place)
            for event_id, seq in wanted.items()
            for place in places.get(event_id, _UNKNOWN)
        ],
        record.not_produced,
        [seq for seq in record.released if seq not in held],
    )


def _recover(
    shard: int,
    epoch: int,
    store: Store,
    consumer: Consumer,
    ends_now: Callable[[Iterable[str] | None], Ends],
) -> None:
    """Flags what is in the topics behind the last flagged offset, ends the holds of what was held
    when the database was last heard of, and names what has no row.

    All that has neither flag nor hold afterwards is published from the table.
    """
    flagged = store.last_offsets(shard)
    stops = ends_now(None)
    starts = {
        topic: {
            partition: flagged.get(topic, {}).get(partition, -1) + 1 for partition in partitions
        }
        for topic, partitions in stops.items()
    }
    places = tail.find(consumer, starts, stops, None)
    rows = store.match(shard, {event_id: found[-1] for event_id, found in places.items()})
    there = {event_id: seq for event_id, seq in rows.items() if seq is not None}
    store.repair(
        shard,
        epoch,
        None,
        [(seq, place) for event_id, seq in there.items() for place in places[event_id]],
        released=list(there.values()),
    )
    gone = {event_id: places[event_id][-1] for event_id, seq in rows.items() if seq is None}
    for event_id, place in gone.items():
        log.error(
            "event %s is published (%s, partition %d, offset %d), but its row is gone from the "
            "outbox: consumers acted on a change that the database no longer has",
            event_id,
            *place[:3],
        )
