"""Measures how fast a consumer group handles a backlog, live and parked, in one process."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from confluent_kafka import Message, TopicPartition

from relay.bench.children import relay_process, relay_worker
from relay.bench.groups import ALL_VARIABLE, BATCH_VARIABLE, DOMAIN_VARIABLE, GROUP
from relay.bench.options import BenchFailed
from relay.bench.testbed import BenchRelay, Testbed
from relay.bench.usage import CpuTime, PeakMemory
from relay.kafka.clients import reader
from relay.kafka.headers import headers_of
from relay.kafka.offsets import read_bounds
from relay.kafka.ranges import read_ranges
from relay.kafka.topics import open_admin
from relay.postgres.sqlfile import load

__all__ = ["consume", "consume_parked"]


def consume(testbed: Testbed, *, batch: int, together: bool) -> dict[str, Any]:
    """Publishes a backlog, then handles it with `relay consume --until-idle`.

    batch: most events of one transaction. together: they are handled in one call. Returns the
    figures by name. Raises BenchFailed.
    """
    options = testbed.options
    with testbed.relay(group=GROUP) as relay:
        relay.fill(options.consumed_rows, options.aggregates, avro=True)
        with relay_worker(relay, "--until-idle") as worker:
            worker.wait(testbed.deadline())
        return _handle(testbed, relay, batch, options.consumed_rows, together=together)


def consume_parked(testbed: Testbed, *, events: str, keys: str | None) -> dict[str, Any]:
    """Parks events, then handles them. events, keys: names of the options with their numbers; all
    are of one key without the second.

    Returns the figures by name, also the rate of the first and the last hundredth. Raises
    BenchFailed.
    """
    count = int(getattr(testbed.options, events))
    queues = int(getattr(testbed.options, keys)) if keys else 1
    with testbed.relay(group=GROUP) as relay:
        relay.fill(1, 1, avro=True)
        with relay_worker(relay, "--until-idle") as worker:
            worker.wait(testbed.deadline())
        _park(relay, _take_record(relay), count, queues)
        return _handle(testbed, relay, 50, count)


def _handle(
    testbed: Testbed, relay: BenchRelay, batch: int, count: int, *, together: bool = False
) -> dict[str, Any]:
    with relay.connect() as connection:
        connection.execute(load(__package__, "create_orders.sql"))
    environment = {
        DOMAIN_VARIABLE: relay.domain,
        BATCH_VARIABLE: str(batch),
        ALL_VARIABLE: "1" if together else "",
        "EVENT_BUS_CONSUMERS": "relay.bench.groups",
    }
    with relay_process(relay, "consume", GROUP, "--until-idle", environment=environment) as group:
        memory = PeakMemory(group.process)
        cpu = CpuTime({"group": group.process, **testbed.processes})
        with memory.watched():
            relay.await_row("count_orders.sql", count, testbed.deadline(), group.tail)
            cpu_seconds = cpu.used(per=count / 1e6)
            group.wait(testbed.deadline())
    handled, seconds, first, last = relay.read_row("measure_handled.sql")
    if handled != count:
        raise BenchFailed(f"{handled} of {count} events were handled")
    return {
        "events": count,
        "events_per_second": round(handled / seconds),
        "seconds": round(seconds, 3),
        "first_events_per_second": round(first),
        "last_events_per_second": round(last),
        "cpu_seconds_per_million": cpu_seconds,
        "peak_memory_mb": round(memory.megabytes, 1),
    }


def _take_record(relay: BenchRelay) -> Message:
    """The topic's first record; all are deleted, so that the group reads none."""
    admin = open_admin(relay.settings)
    bounds = read_bounds(admin, [relay.topic])
    with closing(reader(relay.settings)) as consumer:
        record = next(message for batch in read_ranges(consumer, bounds) for message in batch)
    ends = [TopicPartition(*place, found.end) for place, found in bounds.items()]
    for deleted in admin.delete_records(ends).values():
        deleted.result()
    return record


def _park(relay: BenchRelay, record: Message, count: int, keys: int) -> None:
    headers = headers_of(record)
    with relay.connect() as connection:
        connection.execute(
            load(__package__, "fill_parked.sql"),
            {
                "group": GROUP,
                "topic": relay.topic,
                "count": count,
                "keys": keys,
                "value": record.value(),
                "names": [name for name, _ in headers],
                "values": [value for _, value in headers],
            },
        )
        connection.execute("vacuum analyze inbox.parked")
