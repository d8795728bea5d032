"""Measures how fast a backlog is published and what that costs, and checks the result."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any, Literal

from relay.bench.children import bench_child, relay_worker
from relay.bench.consumer import count_records
from relay.bench.options import BenchFailed
from relay.bench.testbed import BenchRelay, Testbed
from relay.bench.usage import CpuTime, PeakMemory
from relay.kafka import headers as names
from relay.kafka.clients import reader
from relay.kafka.offsets import read_bounds
from relay.kafka.ranges import read_ranges
from relay.kafka.topics import open_admin

__all__ = ["drain"]


def drain(
    testbed: Testbed,
    *,
    rows: Literal["avro", "payload"],
    events: str = "rows",
    workers: int = 1,
    delivery: str = "exactly-once",
    copies: bool = False,
) -> dict[str, Any]:
    """Fills an outbox and publishes it with `relay run --until-idle`.

    rows: with Avro bytes, or encoded from the payload by the relay. events: name of the option
    with the number of events. copies: publish each under two major versions, one converted.
    Returns the figures by name. The rate counts the events after the consumer's first batch, from
    the time of that batch to the last record. Raises BenchFailed.
    """
    deadline = testbed.deadline()
    count: int = getattr(testbed.options, events)
    records_per_event = 2 if copies else 1
    with testbed.relay(copies=copies, delivery=delivery) as relay:
        fill_rate = relay.fill(count, testbed.options.aggregates, avro=rows == "avro")
        (row_bytes,) = relay.read_row("measure_rows.sql")
        servers, total = testbed.servers.bootstrap_servers, count * records_per_event
        with bench_child(count_records, servers, relay.topic, total) as consumer:
            consumer.read(deadline)
            started = time.time()
            arguments = ["--until-idle", *(["--workers", str(workers)] if workers > 1 else [])]
            with relay_worker(relay, *arguments) as worker:
                memory = PeakMemory(worker.process)
                with memory.watched():
                    first_at, first_count = consumer.read(deadline)
                    cpu = CpuTime({"worker": worker.process, **testbed.processes})
                    last_at, last_count = consumer.read(deadline)
                    measured = (last_count - first_count) // records_per_event
                    cpu_seconds = cpu.used(per=measured / 1e6)
                    worker.wait(deadline)
        seconds = max(last_at - first_at, 1e-9)
        return {
            "events": count,
            "row_bytes": row_bytes,
            "events_per_second": round(measured / seconds),
            "seconds": round(seconds, 3),
            "events_per_second_with_start": round(count / (last_at - started)),
            "seconds_with_start": round(last_at - started, 3),
            "cpu_seconds_per_million": cpu_seconds,
            "peak_memory_mb": round(memory.megabytes, 1),
            "fill_rows_per_second": round(fill_rate),
            **relay.count_flags(),
            **_check_topic(relay, deadline),
        }


def _check_topic(relay: BenchRelay, deadline: float) -> dict[str, int]:
    """Reads the topic to its current ends.

    Returns records, duplicated (events, or copies, more than once) and out_of_order (records
    after a later one of their aggregate). deadline: by time.monotonic(). Raises BenchFailed,
    BrokerUnavailable.
    """
    seen: set[tuple[int, bool]] = set()
    last: dict[bytes, int] = {}
    records = out_of_order = 0
    bounds = read_bounds(open_admin(relay.settings), [relay.topic])
    with closing(reader(relay.settings)) as consumer:
        for messages in read_ranges(consumer, bounds):
            if time.monotonic() > deadline:
                raise BenchFailed(
                    "the topic was not read to its end in time: raise --limit-seconds"
                )
            for message in messages:
                headers = dict(names.headers_of(message))
                key, sequence = message.key(), int(headers[names.SEQUENCE] or 0)
                assert isinstance(key, bytes)
                records += 1
                seen.add((sequence, names.ORIGINAL_ID in headers))
                out_of_order += last.get(key, 0) > sequence
                last[key] = sequence
    return {
        "records": records,
        "duplicated": records - len(seen),
        "out_of_order": out_of_order,
    }
