"""Reads the records of topics, as their headers describe them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from confluent_kafka import Consumer

from relay.kafka import headers as names
from relay.kafka.offsets import Bounds, Partition
from relay.kafka.ranges import read_ranges
from relay.schema.catalog.entries import major_of
from relay.schema.majors.copies import number_of

__all__ = ["ScannedRecord", "scan"]


class ScannedRecord(NamedTuple):
    """A committed record as its headers describe it.

    event_id: of the outbox row. ce_id: of the record, which differs for a copy. Without such a
    header both are the record's place, `topic[partition]@offset`. copy: number of the copy's major
    version, 0 for the original. copies: numbers of the copies that an original announces.
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


def scan(consumer: Consumer, bounds: Mapping[Partition, Bounds]) -> Iterator[list[ScannedRecord]]:
    """Yields all committed records within `bounds`, in the order of their partition.

    consumer: from relay.kafka.clients.reader. Raises BrokerUnavailable.
    """
    for messages in read_ranges(consumer, bounds):
        yield [_scanned(message) for message in messages]


def _scanned(message: Any) -> ScannedRecord:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    headers = dict(names.headers_of(message))
    ce_id = _string(headers.get(names.EVENT_ID)) or f"{topic}[{partition}]@{offset}"
    original, copies = headers.get(names.ORIGINAL_ID), headers.get(names.COPIES)
    sequence = _string(headers.get(names.SEQUENCE))
    return ScannedRecord(
        ce_id,
        _string(original) or ce_id,
        topic,
        partition,
        offset,
        number_of(original, headers.get(names.EVENT_TYPE)),
        int(sequence) if sequence.isascii() and sequence.isdecimal() else None,
        _string(headers.get(names.AGGREGATE_TYPE)),
        _string(headers.get(names.SUBJECT)),
        [major_of(name) for name in _string(copies).split(",")] if copies else None,
    )


def _string(value: bytes | None) -> str:
    """Returns a header as a string that PostgreSQL can store."""
    return "" if value is None else value.decode("utf-8", "replace").replace("\0", "")
