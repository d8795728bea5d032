"""Reads the last position record of a shard from the positions topic."""

from __future__ import annotations

from typing import Final

from confluent_kafka import Consumer

from relay.errors import BrokerUnavailable
from relay.kafka.offsets import Bounds, Partition, stable_bounds
from relay.kafka.ranges import read_ranges
from relay.publish.record import PositionRecord

__all__ = ["last_record"]

_FIRST_STEP_BACK: Final = 16
_STEP_GROWTH: Final = 8
_SILENCE_S: Final = 15.0


def last_record(consumer: Consumer, topic: str, shard: int) -> PositionRecord | None:
    """The last committed position record of a shard; None when there is none.

    It is never at the partition's very end, where transaction markers and aborted batches are, so
    the reading starts ever further back until a record is found, and ends at the last stable
    offset.
    consumer: from relay.kafka.clients.reader. Raises BrokerUnavailable, PositionRefused.
    """
    place = (topic, shard)
    try:
        bounds = stable_bounds(consumer, place)
        step = _FIRST_STEP_BACK
        start = bounds.end
        while start > bounds.low:
            start = max(bounds.low, bounds.end - step)
            value = _last_value(consumer, place, Bounds(start, bounds.end))
            if value is not None:
                return PositionRecord.from_bytes(value)
            step *= _STEP_GROWTH
    except BrokerUnavailable as error:
        raise BrokerUnavailable(f"the position of shard {shard} can't be read: {error}") from error
    return None


def _last_value(consumer: Consumer, place: Partition, bounds: Bounds) -> bytes | None:
    value = None
    for messages in read_ranges(consumer, {place: bounds}, silence_s=_SILENCE_S):
        if messages:
            value = messages[-1].value()
    return value
