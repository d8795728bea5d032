"""An independent consumer in a process of its own: read_committed, and no word from the relay.

Run with one JSON argument: {"bootstrap_servers", "topic", "count"} to count from the topic's
beginning; with {"times": file} besides to note when each record came that is written from now on.
Says {"ready"}, {"first": at, "first_count": n}, {"last": at, "count": n}, times as
time.time() gives them.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from relay.kafka.headers import EVENT_ID

__all__: list[str] = []

# consume() waits this long for a full batch: how late it may notice the first and the last record.
_WAIT_SECONDS = 0.05
_AT_ONCE = 200_000


def main(task: dict[str, Any]) -> None:
    """Reads `count` records."""
    consumer = Consumer(
        {
            "bootstrap.servers": task["bootstrap_servers"],
            "group.id": "relay-bench",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": 65_536,
        }
    )
    topic = task["topic"]
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    places = [TopicPartition(topic, number, 0) for number in partitions]
    if "times" in task:
        for place in places:
            place.offset = consumer.get_watermark_offsets(place, timeout=10)[1]
    consumer.assign(places)
    try:
        if "times" in task:
            _note_times(consumer, task["count"], Path(task["times"]))
        else:
            _count(consumer, task["count"])
    finally:
        consumer.close()


def _count(consumer: Consumer, wanted: int) -> None:
    _say(ready=True)
    count = 0
    while count < wanted:
        messages = consumer.consume(_AT_ONCE, _WAIT_SECONDS)
        now = time.time()
        if not messages:
            continue
        _refuse_errors(messages)
        if count == 0:
            _say(first=now, first_count=len(messages))
        count += len(messages)
    _say(last=now, count=count)


def _note_times(consumer: Consumer, wanted: int, file: Path) -> None:
    """Writes event id -> nanoseconds since the epoch at which poll returned its record."""
    _say(ready=True)
    times: dict[str, int] = {}
    poll, clock = consumer.poll, time.time_ns
    while len(times) < wanted:
        message: Any = poll(1.0)
        now = clock()
        if message is None:
            continue
        _refuse_errors([message])
        times[dict(message.headers())[EVENT_ID].decode()] = now
    file.write_text(json.dumps(times))
    _say(count=len(times))


def _refuse_errors(messages: list[Any]) -> None:
    for message in messages:
        if message.error() is not None:
            raise SystemExit(f"relay bench: the consumer can't read on: {message.error()}")


def _say(**document: Any) -> None:
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
