"""Looks at what a drain has left: every event once and in order, every flag there."""

from __future__ import annotations

import time
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition

from relay.bench.options import BenchFailed
from relay.bench.place import BenchRelay
from relay.kafka import headers as names
from relay.postgres.connect import connect
from relay.postgres.sqlfile import load

__all__ = ["bytes_a_row", "check_flags", "check_topic"]


def check_topic(relay: BenchRelay, deadline: float) -> dict[str, int]:
    """Reads the topic to its ends as they are now.

    Returns records, duplicated (events, or copies, more than once) and out_of_order (records
    behind a later one of their aggregate). deadline: by time.monotonic(). Raises BenchFailed.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": relay.settings.kafka_bootstrap_servers,
            "group.id": "relay-bench-check",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        partitions = consumer.list_topics(relay.topic, timeout=10).topics[relay.topic].partitions
        consumer.assign([TopicPartition(relay.topic, number, 0) for number in partitions])
        open_ = set(partitions)
        seen: set[tuple[int, bool]] = set()
        last: dict[bytes, int] = {}
        records = out_of_order = 0
        while open_:
            if time.monotonic() > deadline:
                raise BenchFailed("the topic could not be read to its end in time")
            messages: list[Any] = consumer.consume(50_000, 0.2)
            for message in messages:
                if (error := message.error()) is not None:
                    if error.code() != KafkaError._PARTITION_EOF:
                        raise BenchFailed(f"the topic can't be read: {error.str()}")
                    open_.discard(message.partition())
                    continue
                headers = dict(message.headers())
                sequence = int(headers[names.SEQUENCE])
                records += 1
                seen.add((sequence, names.ORIGINAL_ID in headers))
                out_of_order += last.get(message.key(), 0) > sequence
                last[message.key()] = sequence
    finally:
        consumer.close()
    return {
        "records": records,
        "duplicated": records - len(seen),
        "out_of_order": out_of_order,
    }


def check_flags(relay: BenchRelay) -> dict[str, int]:
    """Returns events, flagged (with topic, partition and offset) and deliveries (rows of flags)."""
    with connect(relay.database_url, application_name="relay bench") as connection:
        row = connection.execute(load(__package__, "count_flags.sql")).fetchone()
    assert row is not None
    return {"events": row[0], "flagged": row[1], "deliveries": row[2]}


def bytes_a_row(relay: BenchRelay) -> int:
    """Average size of an outbox row."""
    with connect(relay.database_url, application_name="relay bench") as connection:
        row = connection.execute(load(__package__, "measure_rows.sql")).fetchone()
    return int(row[0]) if row and row[0] is not None else 0
