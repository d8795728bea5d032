"""Finds events that were published, flagged and then undone, and has them published again (H74).

A broker that crashes may lose the marker that ends a transaction in a partition (KAFKA-20734). What
was committed lies open there, until an operator aborts it (there is no way to commit it) or the
next transaction of the same producer is aborted. Flags and position then name records that no
consumer will ever see.
"""

from __future__ import annotations

import logging
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from relay.kafka import headers as names
from relay.kafka.offsets import Bounds, Partition, read_leader_ends
from relay.kafka.ranges import read_ranges
from relay.publish.holds import Hold
from relay.publish.outcome import FlaggedRow
from relay.publish.store import ShardStore
from relay.publish.takeover.read_from import Noted, TopicEnd, is_settled, starts
from relay.publish.takeover.undecided import await_decided

__all__ = ["publish_again"]

log = logging.getLogger(__name__)

_REASON: Final = "its record was aborted in Kafka after it had been committed"


def publish_again(
    shard: int,
    epoch: int,
    store: ShardStore,
    admin: AdminClient,
    topics_now: Callable[[], Mapping[str, TopicEnd]],
    committed: Consumer,
    everything: Consumer,
    noted: Noted,
) -> None:
    """Takes the flags of a shard's undone events away and holds the events, due at once.

    The shard's producer has fenced its former owner, so none of its transactions is going on.
    noted: last stable offsets from before, below which nothing can be undone. committed,
    everything: from relay.kafka.clients.reader, the latter with what is not committed.
    Raises Fenced, BrokerUnavailable, also while a transaction of the shard does not end.
    """
    while True:
        found = topics_now()
        high = {(name, n): end for name, topic in found.items() for n, end in topic.ends.items()}
        stable = read_leader_ends(admin, high)
        begin = starts(noted, found)
        ranges = {
            (name, partition): Bounds(begin[name][partition], high[name, partition])
            for (name, partition), end in stable.items()
            if not is_settled(noted, name, found[name].identifier, partition, end.epoch)
        }
        hidden = _hidden(
            ranges, {place: stable[place].offset for place in ranges}, committed, everything
        )
        rows = store.flagged(shard, hidden)
        # A transaction of this shard that is neither committed nor aborted, though it was flagged.
        undecided = {
            row.place: row.offset + 1 for row in rows if row.offset >= stable[row.place].offset
        }
        if not undecided:
            break
        await_decided(admin, undecided)
    if rows:
        log.warning(
            "shard %d: %d events that were flagged as published are published again, the first is "
            "%s at %s[%d]@%d: %s",
            shard, len(rows), rows[0].event_id, *rows[0].place, rows[0].offset, _REASON,
        )  # fmt: skip
        store.withdraw(shard, epoch, list(_holds(rows)))


def _hidden(
    ranges: Mapping[Partition, Bounds],
    stable: Mapping[Partition, int],
    committed: Consumer,
    everything: Consumer,
) -> dict[tuple[str, int, int], str]:
    """Event ids by topic, partition and offset of those records that are not committed: aborted
    ones, and above the last stable offset those of which nothing is decided."""
    seen = {place: array("q") for place in ranges}
    decided = {
        place: Bounds(bounds.low, min(bounds.end, stable[place]))
        for place, bounds in ranges.items()
    }
    message: Any
    for messages in read_ranges(committed, decided):
        for message in messages:
            seen[message.topic(), message.partition()].append(message.offset())
    hidden: dict[tuple[str, int, int], str] = {}
    for messages in read_ranges(everything, ranges):
        for message in messages:
            topic, partition, offset = message.topic(), message.partition(), message.offset()
            offsets = seen[topic, partition]
            at = bisect_left(offsets, offset)
            if at < len(offsets) and offsets[at] == offset:
                continue
            headers = dict(names.headers_of(message))
            if name := headers.get(names.ORIGINAL_ID) or headers.get(names.EVENT_ID):
                # Anybody may have written it: no text that PostgreSQL refuses.
                text = name.decode(errors="replace").replace("\0", "")
                hidden[topic, partition, offset] = text
    return hidden


def _holds(rows: Iterable[FlaggedRow]) -> Iterable[Hold]:
    """The first of each aggregate is due; the others follow it."""
    waiting: set[tuple[str, str]] = set()
    for row in rows:
        if row.aggregate in waiting:
            yield Hold(row.seq, row.event_id, row.aggregate, "held")
        else:
            yield Hold(row.seq, row.event_id, row.aggregate, "failing", error=_REASON, retry_in=0.0)
        waiting.add(row.aggregate)
