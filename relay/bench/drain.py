"""How fast a backlog goes out, and what that costs."""

from __future__ import annotations

import time
from typing import Any, Literal

from relay.bench.check import bytes_a_row, check_flags, check_topic
from relay.bench.children import bench_child, relay_worker
from relay.bench.options import Options
from relay.bench.place import Place
from relay.bench.usage import PeakMemory, cpu_seconds

__all__ = ["Rows", "drain"]

Rows = Literal["avro", "payload"]


def drain(
    place: Place,
    options: Options,
    *,
    rows: Rows,
    count: int,
    workers: int = 1,
    delivery: str = "exactly-once",
    copies: bool = False,
) -> dict[str, Any]:
    """Fills an outbox with `count` events and publishes them with `relay run --until-idle`.

    rows: whether rows carry their Avro bytes or are encoded from the payload. copies: whether
    each is published under two major versions, as two records of which one is converted.
    Returns the figures by name. The rate is that of the events behind the first lot that the
    consumer got, from when it got that lot to when it got the last record. Raises BenchFailed.
    """
    deadline = time.monotonic() + options.limit_seconds
    of_each = 2 if copies else 1
    with place.relay(copies=copies, delivery=delivery) as relay:
        fill_rate = relay.fill(count, options.aggregates, avro=rows == "avro")
        row_bytes = bytes_a_row(relay)
        with bench_child(
            relay,
            "consumer",
            bootstrap_servers=relay.settings.kafka_bootstrap_servers,
            topic=relay.topic,
            count=count * of_each,
        ) as consumer:
            consumer.read(deadline)
            started = time.time()
            words = ["--until-idle", *(["--workers", str(workers)] if workers > 1 else [])]
            with relay_worker(relay, *words) as worker:
                processes = {"worker": worker.pid, "postgres": place.postgres, "kafka": place.kafka}
                memory = PeakMemory(worker.pid)
                with memory.watched():
                    first = consumer.read(deadline)
                    before = {name: cpu_seconds(process) for name, process in processes.items()}
                    last = consumer.read(deadline)
                    after = {name: cpu_seconds(process) for name, process in processes.items()}
                    worker.wait(deadline)
        behind_first = (last["count"] - first["first_count"]) // of_each
        seconds = max(last["last"] - first["first"], 1e-9)
        return {
            "events": count,
            "row_bytes": row_bytes,
            "events_per_second": round(behind_first / seconds),
            "seconds": round(seconds, 3),
            "events_per_second_with_start": round(count / (last["last"] - started)),
            "seconds_with_start": round(last["last"] - started, 3),
            "cpu_seconds_per_million": {
                name: _per_million(before[name], after[name], behind_first) for name in processes
            },
            "peak_memory_mb": round(memory.megabytes, 1),
            "fill_rows_per_second": round(fill_rate),
            **check_flags(relay),
            **check_topic(relay, deadline),
        }


def _per_million(before: float | None, after: float | None, events: int) -> float | None:
    if before is None or after is None or events <= 0:
        return None
    return round((after - before) / events * 1e6, 2)
