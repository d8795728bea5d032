"""Reads topics from one end to the other, batch by batch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from relay.errors import BrokerUnavailable
from relay.kafka.bounds import Bounds, Partition
from relay.schema.catalog.entries import major_of
from relay.schema.majors.copies import number_of

__all__ = ["Found", "scan"]

_BATCH = 5_000
_WAIT = 0.2
_SILENCE = 30.0


class Found(NamedTuple):
    """A committed record as its headers tell of it.

    event_id: the outbox row's; ce_id: the record's own, another one where it is a copy. Both are
    the record's place, `topic[partition]@offset`, where there is no such header. copy: number of
    the copy's major version, 0 for the original. copies: numbers of the copies that an original
    says it has, None where it has none.
    """

    ce_id: str
    event_id: str
    topic: str
    partition: int
    offset: int
    copy: int
    sequence: int | None
    aggregate_type: str
    aggregate_id: str
    copies: list[int] | None


def scan(consumer: Consumer, bounds: Mapping[Partition, Bounds]) -> Iterator[list[Found]]:
    """All committed records within `bounds`, each partition's in its order.

    consumer: from relay.publish.takeover.positions.reader. Raises BrokerUnavailable.
    """
    left = {place: bound.end for place, bound in bounds.items() if bound.end > bound.low}
    if not left:
        return
    consumer.assign([TopicPartition(*place, bounds[place].low) for place in left])
    heard = time.monotonic()
    try:
        while left:
            messages: list[Any] = consumer.consume(_BATCH, _WAIT)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > _SILENCE:
                raise BrokerUnavailable(
                    f"{sorted(left)} did not arrive in {_SILENCE:.0f} s. Check that Kafka runs."
                )
            yield list(_records(messages, left))
    except KafkaException as error:
        raise BrokerUnavailable(
            f"the topics can't be read: {error.args[0].str()}. Check that Kafka runs."
        ) from error
    finally:
        consumer.unassign()


def _records(messages: list[Any], left: dict[Partition, int]) -> Iterator[Found]:
    for message in messages:
        place = (message.topic(), message.partition())
        offset = message.offset()
        if (error := message.error()) is not None:
            if error.code() != KafkaError._PARTITION_EOF:
                raise BrokerUnavailable(
                    f"topic {place[0]} can't be read: {error.str()}. Check that Kafka runs."
                )
            left.pop(place, None)
            continue
        end = left.get(place)
        if end is None:
            continue
        if offset >= end - 1:
            del left[place]
        if offset < end:
            yield _found(message, *place, offset)


def _found(message: Any, topic: str, partition: int, offset: int) -> Found:
    headers = dict(message.headers() or ())
    ce_id = _text(headers.get("ce_id")) or f"{topic}[{partition}]@{offset}"
    original, copies = headers.get("ce_originalid"), headers.get("ce_copies")
    sequence = _text(headers.get("ce_sequence"))
    return Found(
        ce_id,
        _text(original) or ce_id,
        topic,
        partition,
        offset,
        number_of(original, headers.get("ce_type")),
        int(sequence) if sequence.isascii() and sequence.isdecimal() else None,
        _text(headers.get("ce_aggregatetype")),
        _text(headers.get("ce_subject")),
        [major_of(name) for name in _text(copies).split(",")] if copies else None,
    )


def _text(value: bytes | None) -> str:
    """A header as text that PostgreSQL can keep."""
    return "" if value is None else value.decode("utf-8", "replace").replace("\0", "")
