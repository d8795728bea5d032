"""Measures whether an outbox that has grown costs more than a small one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from typing import Any, Final

import psycopg

from relay.bench.children import await_working, relay_worker
from relay.bench.event import AGGREGATE_TYPE, EVENT_TYPE, payload
from relay.bench.grown import begin_long_ago, fill_delivered
from relay.bench.options import BenchFailed
from relay.bench.testbed import BenchRelay, Testbed
from relay.observe import Events
from relay.operate.timeline import read_timeline
from relay.outages import Outages
from relay.postgres.partitions import keep
from relay.publish.services import Services

__all__ = ["growth"]

_MONTHS: Final = 11
_TIMES: Final = 40
_EVENTS_OF_AN_AGGREGATE: Final = 50
_POLL_SECONDS: Final = 0.001
_PUBLISH = "select outbox.publish(%s, %s, %s, %s::jsonb)"
_FLAGGED = "select from outbox.deliveries d join outbox.domain_events e using (seq) where e.id = %s"


def growth(testbed: Testbed) -> dict[str, Any]:
    """Fills a partitioned outbox with delivered events, 50 of each aggregate, with a fiftieth of
    growth_rows and then all, and measures the same on both: milliseconds until the next event is
    published and flagged, until a shard is taken over, and for a page of a timeline. A ratio of 1
    means that nothing grows.

    Returns the figures by name. Raises BenchFailed.
    """
    large = testbed.options.growth_rows
    small = max(large // 50, 1)
    before, after = (_measure(testbed, rows) for rows in (small, large))
    return {
        "rows": {"small": small, "large": large},
        **{f"{name}_ms": {"small": before[name], "large": after[name]} for name in before},
        "ratio": {name: round(after[name] / max(before[name], 1e-9), 2) for name in before},
    }


def _measure(testbed: Testbed, rows: int) -> Mapping[str, float]:
    with testbed.relay(monthly=True) as relay, relay.connect() as connection:
        begin_long_ago(connection, _MONTHS)
        # All shards get a position, which the grown outbox lies before.
        with relay_worker(relay) as worker:
            await_working(relay, worker, testbed.deadline())
        keep(connection)
        fill_delivered(connection, rows, max(rows // _EVENTS_OF_AN_AGGREGATE, 1))
        connection.execute("vacuum analyze")
        deadline = testbed.deadline()
        with relay_worker(relay):
            _publish(connection, 0, deadline)  # once it works
            published = [_publish(connection, n, deadline) for n in range(_TIMES)]
        timelines = [_milliseconds(partial(_read_page, connection, n)) for n in range(_TIMES)]
        return {
            "publish": round(median(published), 2),
            "take_over": round(median(_take_over(relay)), 2),
            "timeline_page": round(median(timelines), 2),
        }


def _publish(connection: psycopg.Connection[Any], number: int, deadline: float) -> float:
    """Milliseconds from the commit of an event to its flag."""
    given = (EVENT_TYPE, AGGREGATE_TYPE, f"order-{number:06d}", json.dumps(payload(number)))
    row = connection.execute(_PUBLISH, given).fetchone()
    began = time.perf_counter()
    while connection.execute(_FLAGGED, row).fetchone() is None:
        if time.monotonic() > deadline:
            raise BenchFailed("an event was not published in time: raise --limit-seconds")
        time.sleep(_POLL_SECONDS)
    return (time.perf_counter() - began) * 1000


def _take_over(relay: BenchRelay) -> list[float]:
    """Milliseconds that each shard takes whose last worker has ended."""
    events = Events()
    services = Services(relay.settings, "bench", events, Outages(events))
    try:
        services.take_over(0)  # opens the consumer
        return [
            _milliseconds(partial(services.take_over, shard))
            for shard in range(relay.settings.shards)
        ]
    finally:
        services.close()


def _read_page(connection: psycopg.Connection[Any], number: int) -> None:
    read_timeline(connection, AGGREGATE_TYPE, f"order-{number:06d}", related=True)


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000
