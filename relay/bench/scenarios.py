"""Lists what can be measured, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from relay.bench.calibration import calibrate
from relay.bench.consume import consume, consume_parked
from relay.bench.drain import drain
from relay.bench.growth import growth
from relay.bench.idle import idle
from relay.bench.latency import latency
from relay.bench.options import Options
from relay.bench.registry import CONNECTIONS, VERSIONS, registry_checks
from relay.bench.testbed import Testbed

__all__ = ["SCENARIOS", "Scenario"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One measurement.

    measure: returns figures by name. fixed: settings that every run has. sizes: settings that
    are read from an option, as setting -> name of the option.
    usual: measured if no scenario was chosen. warm: drain a backlog before the first one.
    """

    name: str
    measure: Callable[[Testbed], dict[str, Any]]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, str] = field(default_factory=dict)
    usual: bool = True
    warm: bool = False

    def settings(self, options: Options) -> dict[str, Any]:
        """Returns what it is measured with."""
        sizes = {name: getattr(options, option) for name, option in self.sizes.items()}
        return {**self.fixed, **sizes}


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def _drain(name: str, *, events: str = "rows", usual: bool = False, **different: Any) -> Scenario:
    fixed = {"copies": False, "workers": 1, "delivery": "exactly-once", **different}
    sizes = {"events": events, **_same("aggregates", "partitions", "shards")}
    return Scenario(name, partial(drain, events=events, **fixed), fixed, sizes, usual, warm=True)


def _latency(name: str, delivery: str) -> Scenario:
    sizes = _same("rate", "connections", "seconds", "warm_up_seconds", "partitions", "shards")
    measure = partial(latency, delivery=delivery)
    return Scenario(name, measure, {"delivery": delivery}, sizes, warm=True)


def _consume(name: str, batch: int, *, together: bool = False) -> Scenario:
    fixed: dict[str, Any] = {"batch": batch, "together": together}
    sizes = {"events": "consumed_rows", **_same("aggregates", "partitions")}
    return Scenario(name, partial(consume, **fixed), fixed, sizes, usual=False)


def _parked(name: str, events: str, keys: str | None) -> Scenario:
    sizes = {"events": events} | ({"keys": keys} if keys else {})
    return Scenario(
        name, partial(consume_parked, events=events, keys=keys), sizes=sizes, usual=False
    )


def _all() -> Iterable[Scenario]:
    yield Scenario("calibration", calibrate)
    yield _drain("drain-avro", rows="avro", usual=True)
    yield _drain("drain-payload", rows="payload", usual=True)
    yield _drain("drain-avro-2-workers", rows="avro", workers=2)
    yield _drain("drain-payload-2-workers", rows="payload", workers=2)
    yield _drain("drain-avro-copies", rows="avro", copies=True)
    yield _drain("drain-avro-at-least-once", rows="avro", delivery="at-least-once")
    yield _drain("drain-payload-at-least-once", rows="payload", delivery="at-least-once")
    yield _latency("latency", "exactly-once")
    yield _latency("latency-at-least-once", "at-least-once")
    yield Scenario("idle", idle, sizes={"seconds": "idle_seconds", "shards": "shards"})
    yield Scenario(
        "registry-checks",
        registry_checks,
        {"versions": VERSIONS, "connections": CONNECTIONS},
        _same("seconds"),
        usual=False,
    )
    yield Scenario("growth", growth, sizes=_same("growth_rows"), usual=False)
    yield _consume("consume", 50)
    yield _consume("consume-one-by-one", 1)
    yield _consume("consume-batch-handler", 500, together=True)
    yield _parked("consume-parked", "parked_rows", "parked_keys")
    yield _parked("consume-long-queue", "long_queue_rows", None)
    yield _drain("memory", rows="payload", events="memory_rows", usual=True)


SCENARIOS = {scenario.name: scenario for scenario in _all()}
