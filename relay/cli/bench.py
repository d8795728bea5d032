"""`relay bench`: measures this machine, and the relay on it."""

from __future__ import annotations

import json
import signal
from typing import Annotated, Any

import typer

from relay.errors import ConfigurationInvalid

__all__ = ["command"]

_PANEL = "Sizes"


def command(
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="Measure this alone, e.g. drain-avro; may be given again."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also two workers and at-least-once drains.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document on standard output.")
    ] = False,
    database_url: Annotated[
        str | None,
        typer.Option(help="Servers that run already, instead of own ones: the three together."),
    ] = None,
    kafka_bootstrap_servers: Annotated[str | None, typer.Option()] = None,
    schema_registry_url: Annotated[str | None, typer.Option()] = None,
    rows: Annotated[int, typer.Option(min=1, rich_help_panel=_PANEL)] = 300_000,
    aggregates: Annotated[int, typer.Option(min=1, rich_help_panel=_PANEL)] = 20_000,
    partitions: Annotated[int, typer.Option(min=1, rich_help_panel=_PANEL)] = 6,
    shards: Annotated[int, typer.Option(min=1, max=256, rich_help_panel=_PANEL)] = 4,
    warm_up_rows: Annotated[int, typer.Option(min=0, rich_help_panel=_PANEL)] = 50_000,
    memory_rows: Annotated[int, typer.Option(min=1, rich_help_panel=_PANEL)] = 1_000_000,
    rate: Annotated[
        int, typer.Option(min=1, help="Events a second.", rich_help_panel=_PANEL)
    ] = 500,
    connections: Annotated[int, typer.Option(min=1, max=64, rich_help_panel=_PANEL)] = 4,
    seconds: Annotated[float, typer.Option(min=0.1, rich_help_panel=_PANEL)] = 20.0,
    warm_up_seconds: Annotated[float, typer.Option(min=0.0, rich_help_panel=_PANEL)] = 30.0,
    idle_seconds: Annotated[float, typer.Option(min=0.1, rich_help_panel=_PANEL)] = 20.0,
    limit_seconds: Annotated[
        float,
        typer.Option(min=1.0, help="A scenario that takes longer failed.", rich_help_panel=_PANEL),
    ] = 300.0,
) -> None:
    """Measure throughput, latency, idle cost and memory with an independent consumer.

    Starts PostgreSQL, Kafka and the registry for itself, or measures on given servers, in a
    database and topics of its own. Ends with 1 when a scenario failed. docs/benchmarks.md says
    what each figure means.
    """
    from rich.console import Console

    from relay.bench.options import Options
    from relay.bench.report import print_report
    from relay.bench.run import run

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
        limit_seconds=limit_seconds,
    )
    chosen = _choose(scenario, everything)
    servers = _servers(database_url, kafka_bootstrap_servers, schema_registry_url)
    # As from Ctrl-C: everything that was started is ended on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True)
    document = run(chosen, options, servers, lambda what: console.print(what, highlight=False))
    if as_json:
        typer.echo(json.dumps(document))
    else:
        print_report(document, Console())
    if any(entry["error"] for entry in document["scenarios"]):
        raise typer.Exit(1)


def _choose(names: list[str] | None, everything: bool) -> list[Any]:
    from relay.bench.scenarios import SCENARIOS

    if unknown := sorted(set(names or ()) - SCENARIOS.keys()):
        raise ConfigurationInvalid(
            f"--scenario {', '.join(unknown)} is none of {', '.join(SCENARIOS)}"
        )
    if names:
        return [SCENARIOS[name] for name in dict.fromkeys(names)]
    return [one for one in SCENARIOS.values() if everything or one.usual]


def _servers(database_url: str | None, kafka: str | None, registry_url: str | None) -> Any:
    from relay.bench.options import Servers

    if database_url and kafka and registry_url:
        return Servers(database_url, kafka, registry_url)
    if database_url or kafka or registry_url:
        raise ConfigurationInvalid(
            "--database-url, --kafka-bootstrap-servers and --schema-registry-url belong together: "
            "give all three, or none to have servers started"
        )
    return None
