"""`relay bench` on the run's servers: every figure is present, and nothing is left over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
from confluent_kafka.admin import AdminClient
from rich.console import Console

from relay.bench.report import print_report

_SMALL = (
    "--rows=400",
    "--aggregates=40",
    "--warm-up-rows=0",
    "--rate=50",
    "--seconds=1",
    "--warm-up-seconds=0.2",
    "--idle-seconds=0.5",
    "--shards=2",
    "--partitions=2",
    "--limit-seconds=120",
)


def _bench(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EVENT_BUS_")}
    return subprocess.run(
        [sys.executable, "-m", "relay.cli.main", "bench", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def _servers(database_url: str, bootstrap_servers: str, registry_url: str) -> list[str]:
    return [
        f"--database-url={database_url}",
        f"--kafka-bootstrap-servers={bootstrap_servers}",
        f"--schema-registry-url={registry_url}",
    ]


def test_one_document_has_the_figures_of_the_chosen_scenarios(
    database_url: str, bootstrap_servers: str, registry_url: str, tmp_path: Path
) -> None:
    # Given servers that run already
    servers = _servers(database_url, bootstrap_servers, registry_url)
    chosen = ["calibration", "drain-avro", "latency", "idle"]
    # When a few hundred events are measured with
    words = [f"--scenario={name}" for name in chosen]
    done = _bench(tmp_path, "--json", *words, *_SMALL, *servers)
    # Then standard output is one document with all figures
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    document = json.loads(done.stdout)
    assert {"run", "at", "machine", "versions", "scenarios"} == document.keys()
    entries = {entry["name"]: entry for entry in document["scenarios"]}
    assert list(entries) == chosen
    for entry in entries.values():
        assert entry["error"] is None
        assert entry["python_score_before"] > 0
    assert all(figure > 0 for figure in entries["calibration"]["figures"].values())
    _is_a_whole_drain(entries["drain-avro"]["figures"], 400)
    figures = entries["latency"]["figures"]
    assert 0 < figures["events"] <= 60
    assert figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"] <= figures["max_ms"]
    assert entries["idle"]["figures"]["worker_percent_of_a_core"] >= 0


def test_two_workers_drain_a_backlog_and_nothing_of_the_bench_is_left(
    database_url: str, bootstrap_servers: str, registry_url: str, tmp_path: Path
) -> None:
    # Given servers that run already
    servers = _servers(database_url, bootstrap_servers, registry_url)
    # When a scenario is chosen that is not among the usual ones
    done = _bench(tmp_path, "--json", "--scenario=drain-payload-2-workers", *_SMALL, *servers)
    # Then it was measured
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    document = json.loads(done.stdout)
    (entry,) = document["scenarios"]
    _is_a_whole_drain(entry["figures"], 400)
    # And its databases, topics and processes are gone
    run = document["run"]
    with psycopg.connect(database_url) as connection:
        databases = [row[0] for row in connection.execute("select datname from pg_database")]
    topics = AdminClient({"bootstrap.servers": bootstrap_servers}).list_topics(timeout=10).topics
    processes = [process.info for process in psutil.process_iter(["cmdline", "cwd"])]
    commands = [f"{info['cwd']} {info['cmdline']}" for info in processes]
    assert not [name for name in (*databases, *topics) if run in name]
    assert not [command for command in commands if run in command or str(tmp_path) in command]


def test_a_drain_with_copies_publishes_each_event_twice(
    database_url: str, bootstrap_servers: str, registry_url: str, tmp_path: Path
) -> None:
    # Given servers that run already
    servers = _servers(database_url, bootstrap_servers, registry_url)
    # When a backlog is published under two major versions
    done = _bench(tmp_path, "--json", "--scenario=drain-avro-copies", *_SMALL, *servers)
    # Then all events are there, once each under both
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    (entry,) = json.loads(done.stdout)["scenarios"]
    _is_a_whole_drain(entry["figures"], 400, of_each=2)


def test_the_registrys_checks_are_counted_and_leave_no_subject(
    database_url: str, bootstrap_servers: str, registry_url: str, tmp_path: Path
) -> None:
    # Given a registry that runs already
    servers = _servers(database_url, bootstrap_servers, registry_url)
    # When its checks are measured for a second
    done = _bench(tmp_path, "--json", "--scenario=registry-checks", *_SMALL, *servers)
    # Then both kinds have figures, the CPU time of the registry's process among them
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    document = json.loads(done.stdout)
    (entry,) = document["scenarios"]
    assert entry["error"] is None
    for kind in ("latest", "all_versions"):
        assert entry["figures"][f"{kind}_checks_per_second"] > 0
        assert entry["figures"][f"{kind}_server_cpu_ms_per_check"] > 0
    # And nothing is left of them
    subjects = httpx.get(f"{registry_url}/subjects?deleted=true", trust_env=False).json()
    assert not [subject for subject in subjects if document["run"] in subject]


def test_without_json_tables_are_printed() -> None:
    # Given the document of a run with one scenario that failed
    document = {
        "machine": {"processor": "P", "cores": 2, "memory_mb": 1, "system": "S", "python": "3"},
        "scenarios": [
            _entry("drain-avro", {"cpu_seconds_per_million": {"worker": 9.5, "kafka": None}}, None),
            _entry("latency", None, "3 of 10 events did not arrive"),
        ],
    }
    out = StringIO()
    # When it is printed
    print_report(document, Console(file=out, width=100))
    # Then figures and failures can be read
    assert "cpu seconds per million, worker" in out.getvalue()
    assert "9.5" in out.getvalue()
    assert "3 of 10 events did not arrive" in out.getvalue()


def test_an_unknown_scenario_and_incomplete_servers_are_refused(tmp_path: Path) -> None:
    # Given nothing that runs
    # When a scenario that does not exist is requested, or only one server of three is given
    unknown = _bench(tmp_path, "--scenario=drain-everything")
    half = _bench(tmp_path, "--database-url=postgresql://127.0.0.1:1/none")
    # Then each error is one line that says what can be given
    for done in (unknown, half):
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1
    assert "drain-avro" in unknown.stderr
    assert "--schema-registry-url" in half.stderr


def _is_a_whole_drain(figures: dict[str, Any], events: int, of_each: int = 1) -> None:
    assert figures["events"] == figures["flagged"] == events
    assert figures["deliveries"] == figures["records"] == events * of_each
    assert figures["duplicated"] == figures["out_of_order"] == 0
    assert figures["seconds_with_start"] > 0
    assert figures["peak_memory_mb"] > 0
    assert {"worker", "postgres", "kafka"} == figures["cpu_seconds_per_million"].keys()


def _entry(name: str, figures: dict[str, Any] | None, error: str | None) -> dict[str, Any]:
    return {
        "name": name,
        "settings": {"rows": "avro"},
        "python_score_before": 1.0,
        "load_before": 0.5,
        "figures": figures,
        "error": error,
    }
