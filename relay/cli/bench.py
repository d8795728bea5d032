"""`relay bench`: measures this machine, and the relay on it."""

from __future__ import annotations

import signal
from typing import Annotated

import typer
from rich.console import Console

from relay.bench.options import Options, Servers
from relay.bench.report import print_report
from relay.bench.run import run
from relay.bench.scenarios import SCENARIOS, Scenario
from relay.cli.output import JsonOption, print_json
from relay.errors import ConfigurationInvalid

__all__ = ["command"]

_PANEL = "Sizes"
Count = Annotated[int, typer.Option(min=1, rich_help_panel=_PANEL)]
Seconds = Annotated[float, typer.Option(min=0.1, rich_help_panel=_PANEL)]


def command(
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="Measure only this, e.g. drain-avro; may be given several times."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also drain with two workers and at least once, and more.")
    ] = False,
    as_json: JsonOption = False,
    database_url: Annotated[
        str | None,
        typer.Option(help="Use running servers instead of own ones; give all three addresses."),
    ] = None,
    kafka_bootstrap_servers: Annotated[str | None, typer.Option()] = None,
    schema_registry_url: Annotated[str | None, typer.Option()] = None,
    rows: Count = 300_000,
    aggregates: Count = 20_000,
    partitions: Count = 6,
    shards: Annotated[int, typer.Option(min=1, max=256, rich_help_panel=_PANEL)] = 4,
    warm_up_rows: Annotated[int, typer.Option(min=0, rich_help_panel=_PANEL)] = 50_000,
    memory_rows: Count = 1_000_000,
    growth_rows: Count = 1_000_000,
    consumed_rows: Count = 100_000,
    parked_rows: Count = 20_000,
    parked_keys: Count = 10_000,
    long_queue_rows: Count = 100_000,
    rate: Annotated[
        int, typer.Option(min=1, help="Events per second.", rich_help_panel=_PANEL)
    ] = 500,
    connections: Annotated[int, typer.Option(min=1, max=64, rich_help_panel=_PANEL)] = 4,
    seconds: Seconds = 20.0,
    warm_up_seconds: Annotated[float, typer.Option(min=0.0, rich_help_panel=_PANEL)] = 30.0,
    idle_seconds: Seconds = 20.0,
    limit_seconds: Annotated[
        float,
        typer.Option(min=1.0, help="A scenario that takes longer fails.", rich_help_panel=_PANEL),
    ] = 300.0,
) -> None:
    """Measure throughput, latency, idle cost and memory with an independent consumer.

    Starts PostgreSQL, Kafka and the registry for itself, or measures on given servers, in a
    database and topics of its own. Ends with 1 when a scenario failed. docs/benchmarks.md explains
    each figure.
    """
    options = Options(
        rows=rows,
        aggregates=aggregates,
        partitions=partitions,
        shards=shards,
        rate=rate,
        connections=connections,
        seconds=seconds,
        warm_up_seconds=warm_up_seconds,
        warm_up_rows=warm_up_rows,
        idle_seconds=idle_seconds,
        memory_rows=memory_rows,
        growth_rows=growth_rows,
        consumed_rows=consumed_rows,
        parked_rows=parked_rows,
        parked_keys=parked_keys,
        long_queue_rows=long_queue_rows,
        limit_seconds=limit_seconds,
    )
    chosen = _choose(scenario, everything)
    servers = _servers(database_url, kafka_bootstrap_servers, schema_registry_url)
    _measure(chosen, options, servers, as_json)


def _measure(
    chosen: list[Scenario], options: Options, servers: Servers | None, as_json: bool
) -> None:
    # As from Ctrl-C: everything that was started is stopped on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True)
    document = run(chosen, options, servers, lambda what: console.print(what, highlight=False))
    if as_json:
        print_json(document)
    else:
        print_report(document, Console())
    if any(entry["error"] for entry in document["scenarios"]):
        raise typer.Exit(1)


def _choose(names: list[str] | None, everything: bool) -> list[Scenario]:
    if unknown := sorted(set(names or ()) - SCENARIOS.keys()):
        raise ConfigurationInvalid(
            f"--scenario {', '.join(unknown)} does not exist. Give one of {', '.join(SCENARIOS)}"
        )
    if names:
        return [SCENARIOS[name] for name in dict.fromkeys(names)]
    return [one for one in SCENARIOS.values() if everything or one.usual]


def _servers(
    database_url: str | None, kafka: str | None, registry_url: str | None
) -> Servers | None:
    if database_url and kafka and registry_url:
        return Servers(database_url, kafka, registry_url)
    if database_url or kafka or registry_url:
        raise ConfigurationInvalid(
            "--database-url, --kafka-bootstrap-servers and --schema-registry-url belong together: "
            "give all three, or none to have servers started"
        )
    return None
