"""Measures how long after its commit an event reaches a consumer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from relay.bench.children import await_working, bench_child, relay_worker
from relay.bench.consumer import note_arrivals
from relay.bench.options import BenchFailed
from relay.bench.testbed import Testbed
from relay.bench.writer import write_events

__all__ = ["latency", "percentile"]


def latency(testbed: Testbed, *, delivery: str) -> dict[str, Any]:
    """Commits events at a steady rate and notes when an independent consumer has each.

    Both use this machine's clock, right after the commit and right after poll returned.
    Returns milliseconds by name. Raises BenchFailed.
    """
    options, deadline = testbed.options, testbed.deadline()
    count = int(options.rate * (options.warm_up_seconds + options.seconds))
    with testbed.relay(delivery=delivery) as relay, relay_worker(relay) as worker:
        await_working(relay, worker, deadline)
        servers = testbed.servers.bootstrap_servers
        with bench_child(note_arrivals, servers, relay.topic, count) as consumer:
            consumer.read(deadline)
            database_url = relay.settings.database_url
            with bench_child(write_events, database_url, count, options) as writer:
                committed, took = writer.read(deadline)
            consumed = consumer.read(deadline)
    if committed.keys() != consumed.keys():
        missing = len(committed.keys() - consumed.keys())
        raise BenchFailed(
            f"{missing} of {len(committed)} events did not arrive, "
            f"{len(consumed.keys() - committed.keys())} arrived that nobody wrote"
        )
    begin = min(committed.values()) + int(options.warm_up_seconds * 1e9)
    waits = sorted(
        (consumed[event_id] - at) / 1e6 for event_id, at in committed.items() if at >= begin
    )
    if not waits:
        raise BenchFailed("nothing was written after the warm-up: raise --seconds")
    return {
        "events": len(waits),
        "written_per_second": round(count / took, 1),
        **{f"p{percent}_ms": round(percentile(waits, percent), 2) for percent in (50, 95, 99)},
        "max_ms": round(waits[-1], 2),
        "mean_ms": round(sum(waits) / len(waits), 2),
    }


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Returns the smallest value that `percent` of the values do not exceed (nearest rank)."""
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]
