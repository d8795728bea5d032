"""How long after its commit an event reaches a consumer."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from relay.bench.children import await_working, bench_child, relay_worker
from relay.bench.options import BenchFailed, Options
from relay.bench.place import Place

__all__ = ["latency", "percentile"]


def latency(place: Place, options: Options, *, delivery: str = "exactly-once") -> dict[str, Any]:
    """Commits events at a steady rate and notes when an independent consumer has each.

    Both clocks are this machine's: right after the commit returned, right after poll returned.
    Returns milliseconds by name. Raises BenchFailed.
    """
    deadline = time.monotonic() + options.limit_seconds
    seconds = options.warm_up_seconds + options.seconds
    count = int(options.rate * seconds)
    with place.relay(delivery=delivery) as relay:
        consumed_file, committed_file = relay.folder / "consumed", relay.folder / "committed"
        with relay_worker(relay) as worker, ExitStack() as ends:
            await_working(relay, worker, deadline)
            consumer = ends.enter_context(
                bench_child(
                    relay,
                    "consumer",
                    bootstrap_servers=relay.settings.kafka_bootstrap_servers,
                    topic=relay.topic,
                    count=count,
                    times=str(consumed_file),
                )
            )
            consumer.read(deadline)
            writer = ends.enter_context(
                bench_child(
                    relay,
                    "writer",
                    database_url=relay.database_url,
                    rate=options.rate,
                    seconds=seconds,
                    connections=options.connections,
                    aggregates=options.aggregates,
                    times=str(committed_file),
                )
            )
            written = writer.read(deadline)
            consumer.read(deadline)
        committed, consumed = _read(committed_file), _read(consumed_file)
    if committed.keys() != consumed.keys():
        missing = len(committed.keys() - consumed.keys())
        raise BenchFailed(
            f"{missing} of {len(committed)} events did not arrive, "
            f"{len(consumed.keys() - committed.keys())} came that nobody wrote"
        )
    begin = min(committed.values()) + int(options.warm_up_seconds * 1e9)
    waits = sorted(
        (consumed[event_id] - at) / 1e6 for event_id, at in committed.items() if at >= begin
    )
    if not waits:
        raise BenchFailed("nothing was written after the warm-up: raise --seconds")
    return {
        "events": len(waits),
        "written_per_second": round(written["written"] / written["seconds"], 1),
        "p50_ms": round(percentile(waits, 50), 2),
        "p95_ms": round(percentile(waits, 95), 2),
        "p99_ms": round(percentile(waits, 99), 2),
        "max_ms": round(waits[-1], 2),
        "mean_ms": round(sum(waits) / len(waits), 2),
    }


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of the ordered values do not exceed (nearest rank)."""
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def _read(file: Path) -> dict[str, int]:
    times: dict[str, int] = json.loads(file.read_text())
    return times
