"""Holds the topics, the outbox and the writers' account against each other.

It shares no code with the relay: a plain read_committed consumer and some SQL.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple

import psycopg
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from examples.shop.demo.errors import DemoFailed
from relay.postgres.sqlfile import load

__all__ = ["Audit", "Row", "SeenRecord", "audit", "compare", "read_topics"]

READ_S: Final = 60.0


class SeenRecord(NamedTuple):
    """A record of an event topic, as a consumer sees it."""

    topic: str
    partition: int
    offset: int
    key: str
    event_id: str


class Row(NamedTuple):
    """An event of the outbox with its flags."""

    event_id: str
    seq: int
    aggregate_id: str
    topic: str | None
    partition: int | None
    offset: int | None


@dataclass(frozen=True)
class Audit:
    """What does not agree; everything is to be zero.

    lost: in the outbox, in no topic. duplicated: records too many. out_of_order: records before
    an earlier event of their aggregate. phantom: in a topic, not in the outbox. forgotten:
    committed by a writer, not in the outbox. revived: rolled back by a writer, yet in outbox or
    topic. wrong_flags: the outbox names another topic, partition or offset.
    """

    lost: int = 0
    duplicated: int = 0
    out_of_order: int = 0
    phantom: int = 0
    forgotten: int = 0
    revived: int = 0
    wrong_flags: int = 0

    def problems(self) -> list[str]:
        """Each count that is not zero, in words."""
        found = ((field.name, getattr(self, field.name)) for field in fields(self))
        return [f"{count} events {name.replace('_', ' ')}" for name, count in found if count]


def audit(connection: psycopg.Connection[Any], bootstrap_servers: str) -> Audit:
    """Reads everything there is and compares it. Raises DemoFailed when Kafka does not answer."""
    rows = [Row(*row) for row in connection.execute(load(__package__, "read_outbox.sql"))]
    account = connection.execute("select event_id, committed from demo.written").fetchall()
    topics = [name for (name,) in connection.execute("select topic from outbox.topics")]
    return compare(
        rows,
        read_topics(bootstrap_servers, topics),
        committed=[event_id for event_id, committed in account if committed],
        rolled_back=[event_id for event_id, committed in account if not committed],
    )


def compare(
    rows: Sequence[Row],
    records: Sequence[SeenRecord],
    *,
    committed: Iterable[str],
    rolled_back: Iterable[str],
) -> Audit:
    """Pure comparison. records: in the order of their offsets within each partition."""
    by_id = {row.event_id: row for row in rows}
    seen = Counter(record.event_id for record in records)
    newest: dict[tuple[str, str], int] = {}
    out_of_order = wrong_flags = 0
    counted: set[str] = set()
    for record in records:
        row = by_id.get(record.event_id)
        if row is None:
            continue
        place = (record.topic, record.partition, record.offset)
        if seen[record.event_id] == 1 and place != (row.topic, row.partition, row.offset):
            wrong_flags += 1
        if record.event_id in counted:
            continue
        counted.add(record.event_id)
        last = newest.get((record.topic, record.key), 0)
        out_of_order += row.seq < last
        newest[record.topic, record.key] = max(last, row.seq)
    gone = set(rolled_back)
    return Audit(
        lost=sum(event_id not in seen for event_id in by_id),
        duplicated=sum(times - 1 for times in seen.values()),
        out_of_order=out_of_order,
        phantom=sum(event_id not in by_id for event_id in seen),
        forgotten=sum(event_id not in by_id for event_id in committed),
        revived=len(gone & (by_id.keys() | seen.keys())),
        wrong_flags=wrong_flags,
    )


def read_topics(bootstrap_servers: str, topics: Sequence[str]) -> list[SeenRecord]:
    """All committed records of topics; raises DemoFailed when their ends are not reached."""
    reader = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "demo-audit",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 50,
        }
    )
    found: list[SeenRecord] = []
    try:
        known = reader.list_topics(timeout=READ_S).topics
        waiting = {(topic, number) for topic in topics for number in known[topic].partitions}
        reader.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in waiting])
        deadline = time.monotonic() + READ_S
        while waiting:
            if time.monotonic() > deadline:
                raise DemoFailed(
                    f"{len(waiting)} partitions could not be read to their end in {READ_S:g} s"
                )
            # consume() waits for its full number, so it is only asked for what has arrived.
            first = reader.poll(0.5)
            for message in [first, *reader.consume(5_000, 0)] if first is not None else []:
                error = message.error()
                place = (message.topic() or "", message.partition() or 0)
                if error is None:
                    headers = dict(message.headers() or [])
                    found.append(
                        SeenRecord(
                            *place,
                            message.offset() or 0,
                            (message.key() or b"").decode(),
                            _text(headers.get("ce_id")),
                        )
                    )
                elif error.code() == KafkaError._PARTITION_EOF:
                    waiting.discard(place)
                else:
                    raise DemoFailed(f"{place[0]} could not be read: {error.str()}")
    finally:
        reader.close()
    return found


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
