"""Runs the chosen scenarios one after the other and collects all figures in one document."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import psycopg
from confluent_kafka import KafkaException

from relay.bench.calibration import machine, python_score
from relay.bench.drain import drain
from relay.bench.options import Options, Servers
from relay.bench.scenarios import Scenario
from relay.bench.testbed import Testbed, open_testbed
from relay.errors import RelayError

__all__ = ["run"]


def run(
    scenarios: Sequence[Scenario],
    options: Options,
    servers: Servers | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Measures the scenarios one after the other, so that none disturbs another.

    say: called with each step, for progress messages. A scenario that fails has `error` instead
    of figures; the others are still measured. Raises StackFailed.
    """
    say("starting PostgreSQL, Kafka and the registry")
    with open_testbed(options, servers) as testbed:
        document: dict[str, Any] = {
            "run": testbed.name,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "versions": {
                "relay": version("outbox-relay"),
                "postgres": testbed.server_version(),
                "own_servers": servers is None,
            },
            "scenarios": [],
        }
        if any(scenario.warm for scenario in scenarios) and options.warm_up_rows:
            # The broker's Java compiles while it runs.
            say("warming the servers up")
            drain(testbed, rows="avro", events="warm_up_rows")
        for scenario in scenarios:
            say(f"measuring {scenario.name}")
            document["scenarios"].append(_measure(scenario, testbed))
        say("ending the servers")
    return document


def _measure(scenario: Scenario, testbed: Testbed) -> dict[str, Any]:
    # The speed of a shared machine changes within minutes, so each run notes it.
    entry: dict[str, Any] = {
        "name": scenario.name,
        "settings": scenario.settings(testbed.options),
        "python_score_before": python_score(),
        "load_before": round(os.getloadavg()[0], 2),
        "figures": None,
        "error": None,
    }
    try:
        entry["figures"] = scenario.measure(testbed)
    except (RelayError, psycopg.Error, KafkaException) as error:
        entry["error"] = str(error).strip()
    return entry
