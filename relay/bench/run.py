"""A run: servers, the chosen scenarios one after the other, one document of all figures."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import psycopg
from confluent_kafka import KafkaException

from relay.bench.calibration import machine, python_score
from relay.bench.drain import drain
from relay.bench.options import Options, Servers
from relay.bench.place import Place, describe_servers, open_place
from relay.bench.scenarios import Scenario
from relay.errors import RelayError

__all__ = ["run"]


def run(
    scenarios: Sequence[Scenario],
    options: Options,
    servers: Servers | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Measures one after the other, so that none disturbs another.

    say: told in words what is done meanwhile. A scenario that fails has `error` instead of
    figures and does not keep the others from being measured. Raises StackFailed.
    """
    say("starting PostgreSQL, Kafka and the registry")
    with open_place(options, servers) as place:
        document: dict[str, Any] = {
            "run": place.name,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "versions": {"relay": version("outbox-relay"), **describe_servers(place)},
            "scenarios": [],
        }
        if any(scenario.warm for scenario in scenarios) and options.warm_up_rows:
            say("warming the servers up")
            _warm_up(place, options)
        for scenario in scenarios:
            say(f"measuring {scenario.name}")
            document["scenarios"].append(_measure(scenario, place, options))
        say("ending the servers")
    return document


def _warm_up(place: Place, options: Options) -> None:
    """A small drain that nobody looks at: the broker's Java compiles as it runs."""
    small = replace(options, rows=options.warm_up_rows)
    drain(place, small, rows="avro", count=small.rows)


def _measure(scenario: Scenario, place: Place, options: Options) -> dict[str, Any]:
    # The same loop before each, since a shared machine's speed changes within minutes.
    entry: dict[str, Any] = {
        "name": scenario.name,
        "settings": scenario.settings(options),
        "python_score_before": python_score(),
        "load_before": round(os.getloadavg()[0], 2),
        "figures": None,
        "error": None,
    }
    try:
        entry["figures"] = scenario.run(place, options)
    except (RelayError, psycopg.Error, KafkaException) as error:
        entry["error"] = str(error).strip()
    return entry
