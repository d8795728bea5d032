"""Takes a shard over: fences the last owner, writes the flags it left out, finds the position."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer

from relay.capture.position import BEGINNING, Position
from relay.observe import Events, FlagsRedone
from relay.postgres.identity import Identity
from relay.publish.outcome import Mirror
from relay.publish.record import Ends, PositionRecord
from relay.publish.store import ShardStore
from relay.publish.takeover import tail
from relay.publish.takeover.read_from import Noted, TopicEnd, starts
from relay.publish.takeover.resume import Continue, Recover, Redo, Start, decide
from relay.publish.takeover.tail import PublishedRecord

__all__ = ["TakenOver", "take_over"]

log = logging.getLogger(__name__)

# For an event whose records retention has deleted.
_UNKNOWN: Sequence[PublishedRecord | None] = (None,)


@dataclass(frozen=True, slots=True)
class TakenOver:
    """A shard as its new owner finds it.

    identity: of the database that the position belongs to. number: of the last transaction.
    """

    identity: Identity
    epoch: int
    number: int
    position: Position


def take_over(
    shard: int,
    shards: int,
    store: ShardStore,
    epoch: int,
    mirror: Mirror,
    record: PositionRecord | None,
    aborted: PositionRecord | None,
    consumer: Consumer,
    ends_now: Callable[[Iterable[str]], Ends],
    topics_now: Callable[[], Mapping[str, TopicEnd]],
    undone_again: Callable[[Noted], None],
    exactly_once: bool,
    events: Events,
) -> TakenOver:
    """Continues where the last owner stopped. The producer must have fenced it before.

    epoch, mirror: from ShardStore.take. record: the last one of the positions topic. aborted: one
    after it that was not committed. consumer: sees committed records and ends.
    ends_now: high watermarks of those of some topics that exist. topics_now: all event topics.
    undone_again: see relay.publish.takeover.undone.publish_again.
    Raises PositionRefused, Fenced, BrokerUnavailable, psycopg.Error.
    """
    identity = store.identity
    if not exactly_once:
        # The database has the only position: flags and position commit together.
        record = mirror.record
    decision = decide(shard, shards, identity, mirror.snapshot, record, mirror.record)
    if exactly_once and mirror.read_from is not None:
        undone_again(mirror.read_from)
    if isinstance(decision, Redo) and not _redo(
        shard, epoch, store, decision.record, consumer, ends_now, events
    ):
        decision = Recover(
            "rows of its last transaction are not in the topics: the server's files were restored "
            "from a copy",
            decision.record.number,
            mirror.record,
        )
    if (
        isinstance(decision, Start | Continue)
        and aborted is not None
        and _is_published(shard, store, aborted, consumer, ends_now)
    ):
        decision = Recover(
            "events of its last transaction are in the topics, though its position was aborted",
            mirror.record.number if mirror.record else 0,
            mirror.record,
        )
    match decision:
        case Start():
            number, position = 0, Position(BEGINNING, recovering=store.has_deliveries())
            # From here on a record without a mirror means that the database has lost data.
            store.repair(
                shard, epoch, PositionRecord(0, shard, shards, store.identity, position), []
            )
        case Continue(last) | Redo(last):
            number, position = last.number, last.position
        case Recover(reason, number, known):
            log.warning("shard %d is recovered from table and topics: %s", shard, reason)
            _recover(shard, epoch, store, mirror.read_from if known else None, consumer, topics_now)
            position = Position(known.position.seen if known else BEGINNING, recovering=True)
    return TakenOver(identity, epoch, number, position)


def _redo(
    shard: int,
    epoch: int,
    store: ShardStore,
    record: PositionRecord,
    consumer: Consumer,
    ends_now: Callable[[Iterable[str]], Ends],
    events: Events,
) -> bool:
    """Writes the flags and holds of the last transaction.

    Returns False, and writes nothing, when rows that it should have published are not in the
    topics and retention has not deleted them: then they are other rows (H50).
    """
    wanted = _unflagged(shard, store, record)
    stops = ends_now(record.ends)
    places = tail.find(consumer, record.ends, stops, wanted.keys())
    if len(places) < len(wanted) and not tail.are_expired(consumer, record.ends, stops):
        return False
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
        _released(record),
    )
    return True


def _is_published(
    shard: int,
    store: ShardStore,
    aborted: PositionRecord,
    consumer: Consumer,
    ends_now: Callable[[Iterable[str]], Ends],
) -> bool:
    """Whether events of a transaction are in the topics, though its position record is not.

    Its marker was lost in the shard's partition of the positions topic, and somebody has aborted
    what lay open there (H74).
    """
    if not aborted.identity.same_database(store.identity):
        return False
    wanted = _unflagged(shard, store, aborted)
    return bool(tail.find(consumer, aborted.ends, ends_now(aborted.ends), wanted.keys()))


def _unflagged(shard: int, store: ShardStore, record: PositionRecord) -> dict[str, int]:
    """Event id -> seq of what a transaction has produced and that has no flag."""
    produced = store.released(_released(record))
    for step in record.steps:
        produced |= store.undelivered(shard, step)
    held = {hold.seq for hold in record.not_produced}
    return {event_id: seq for event_id, seq in produced.items() if seq not in held}


def _released(record: PositionRecord) -> list[int]:
    """Held events that a transaction has published after all, by seq."""
    held = {hold.seq for hold in record.not_produced}
    return [seq for seq in record.released if seq not in held]


def _recover(
    shard: int,
    epoch: int,
    store: ShardStore,
    noted: Noted | None,
    consumer: Consumer,
    topics_now: Callable[[], Mapping[str, TopicEnd]],
) -> None:
    """Flags the records in the topics that have no flag, ends the holds of events that are
    published, and logs events without a row.

    noted: where to begin to read; None: at the topics' beginnings. Rows that the position has not
    passed and that have neither flag nor hold afterwards are published again from the table.
    """
    began, read, flagged, gone = time.monotonic(), 0, 0, 0
    found = topics_now()
    stops = {name: dict(topic.ends) for name, topic in found.items()}
    for places in tail.slices(consumer, starts(noted, found), stops):
        read += len(places)
        rows = store.match(shard, {event_id: each[-1] for event_id, each in places.items()})
        there = {row.event_id: row.seq for row in rows if row.seq is not None}
        if there:
            store.repair(
                shard,
                epoch,
                None,
                [(seq, place) for event_id, seq in there.items() for place in places[event_id]],
                released=list(there.values()),
            )
        flagged += len(there)
        for row in rows:
            if row.seq is None:
                gone += 1
                log.error(
                    "event %s is published (%s, partition %d, offset %d), but its row is gone from "
                    "the outbox: consumers acted on a change that the database no longer has",
                    row.event_id,
                    *places[row.event_id][-1][:3],
                )
    log.warning(
        "shard %d is recovered in %.1f s: of %d events in the topics %d of this shard had no flag "
        "and have one now, %d have no row; what has neither flag nor hold is published now",
        shard,
        time.monotonic() - began,
        read,
        flagged,
        gone,
    )
