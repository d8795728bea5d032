"""An independent read_committed consumer, run in a process of its own.

Both functions send "ready" once the consumer has its partitions.
"""

from __future__ import annotations

import time
from multiprocessing.connection import Connection
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from relay.kafka.headers import EVENT_ID

__all__ = ["count_records", "note_arrivals"]

# consume() waits this long for a full batch, so it may notice the first and last record this late.
_WAIT_SECONDS = 0.05
_BATCH = 200_000


def count_records(results: Connection, bootstrap_servers: str, topic: str, wanted: int) -> None:
    """Reads `wanted` records from the topic's beginning.

    Sends (time.time(), records so far) after the first batch and after the last.
    """
    consumer = _open(bootstrap_servers, topic, from_end=False)
    results.send("ready")
    count = 0
    while count < wanted:
        messages = consumer.consume(_BATCH, _WAIT_SECONDS)
        now = time.time()
        if not messages:
            continue
        for message in messages:
            _check(message)
        if count == 0:
            results.send((now, len(messages)))
        count += len(messages)
    results.send((now, count))
    consumer.close()


def note_arrivals(results: Connection, bootstrap_servers: str, topic: str, wanted: int) -> None:
    """Reads the next `wanted` records.

    Sends event id -> time.time_ns() when poll returned its record.
    """
    consumer = _open(bootstrap_servers, topic, from_end=True)
    results.send("ready")
    times: dict[str, int] = {}
    poll, clock = consumer.poll, time.time_ns
    while len(times) < wanted:
        message: Any = poll(1.0)
        now = clock()
        if message is None:
            continue
        _check(message)
        times[dict(message.headers())[EVENT_ID].decode()] = now
    results.send(times)
    consumer.close()


def _open(bootstrap_servers: str, topic: str, *, from_end: bool) -> Consumer:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "relay-bench",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": 65_536,
        }
    )
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    starts = [TopicPartition(topic, number, 0) for number in partitions]
    if from_end:
        for start in starts:
            start.offset = consumer.get_watermark_offsets(start, timeout=10)[1]
    consumer.assign(starts)
    return consumer


def _check(message: Any) -> None:
    if message.error() is not None:
        raise SystemExit(f"relay bench: the consumer can't read: {message.error()}")
