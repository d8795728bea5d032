"""What can be measured, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from relay.bench.calibration import calibrate
from relay.bench.drain import Rows, drain
from relay.bench.idle import idle
from relay.bench.latency import latency
from relay.bench.options import Options
from relay.bench.place import Place
from relay.bench.registry import CONNECTIONS, VERSIONS, registry_checks

__all__ = ["SCENARIOS", "Scenario"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One measurement.

    settings: what it is done with. usual: whether it is measured when nothing was chosen.
    warm: whether the servers should have drained a backlog before.
    """

    name: str
    settings: Callable[[Options], dict[str, Any]]
    run: Callable[[Place, Options], dict[str, Any]]
    usual: bool = True
    warm: bool = False


def _drain(
    name: str,
    rows: Rows,
    workers: int = 1,
    delivery: str = "exactly-once",
    count: Callable[[Options], int] = lambda options: options.rows,
    *,
    copies: bool = False,
    usual: bool = False,
) -> Scenario:
    def settings(options: Options) -> dict[str, Any]:
        return {
            "rows": rows,
            "copies": copies,
            "events": count(options),
            "aggregates": options.aggregates,
            "workers": workers,
            "delivery": delivery,
            "partitions": options.partitions,
            "shards": options.shards,
        }

    def run(place: Place, options: Options) -> dict[str, Any]:
        return drain(
            place,
            options,
            rows=rows,
            count=count(options),
            workers=workers,
            delivery=delivery,
            copies=copies,
        )

    return Scenario(name, settings, run, usual=usual, warm=True)


def _latency(name: str, delivery: str) -> Scenario:
    def settings(options: Options) -> dict[str, Any]:
        return {
            "delivery": delivery,
            "rate": options.rate,
            "connections": options.connections,
            "seconds": options.seconds,
            "warm_up_seconds": options.warm_up_seconds,
            "partitions": options.partitions,
            "shards": options.shards,
        }

    return Scenario(name, settings, partial(latency, delivery=delivery), warm=True)


_ALL = (
    Scenario("calibration", lambda _: {}, calibrate),
    _drain("drain-avro", "avro", usual=True),
    _drain("drain-payload", "payload", usual=True),
    _drain("drain-avro-2-workers", "avro", workers=2),
    _drain("drain-payload-2-workers", "payload", workers=2),
    _drain("drain-avro-copies", "avro", copies=True),
    _drain("drain-avro-at-least-once", "avro", delivery="at-least-once"),
    _drain("drain-payload-at-least-once", "payload", delivery="at-least-once"),
    _latency("latency", "exactly-once"),
    _latency("latency-at-least-once", "at-least-once"),
    Scenario(
        "idle",
        lambda options: {"seconds": options.idle_seconds, "shards": options.shards},
        idle,
    ),
    Scenario(
        "registry-checks",
        lambda options: {
            "versions": VERSIONS,
            "connections": CONNECTIONS,
            "seconds": options.seconds,
        },
        registry_checks,
        usual=False,
    ),
    _drain("memory", "payload", count=lambda options: options.memory_rows, usual=True),
)
SCENARIOS = {scenario.name: scenario for scenario in _ALL}
