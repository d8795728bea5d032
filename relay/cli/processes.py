"""`relay run|consume|reconcile` and `relay registry serve`: they run until they are stopped."""

from __future__ import annotations

import gc
from typing import Annotated, Final

import typer

from relay.postgres.connect import connect
from relay.process.logs import configure_logging
from relay.process.signals import stop_on_signals
from relay.process.summary import Tally
from relay.process.supervisor import supervise, watch_parent
from relay.settings import load_settings

__all__ = ["consume", "reconcile", "registry", "run"]

# A batch is hundreds of thousands of small objects, none of them in a cycle. With its defaults the
# collector would visit them again and again, for a third of the time of building them.
_GC_THRESHOLDS: Final = (100_000, 50, 100)

registry = typer.Typer(help="Run the embedded schema registry.", no_args_is_help=True)


def run(
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Number of worker processes on this machine.")
    ] = 1,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="End once nothing is left to publish.")
    ] = False,
) -> None:
    """Publish committed events to Kafka, in order per aggregate.

    Waits for servers that are unavailable, at the start as well. SIGTERM or Ctrl-C ends it: open
    transactions are finished and the shards handed over.
    """
    from relay.publish.store import count_holds
    from relay.publish.worker import Worker

    configure_logging("INFO")
    settings = load_settings()
    stop = stop_on_signals()
    watch_parent(stop)
    if workers > 1:
        commands = {f"worker {number}": ["run"] for number in range(workers)}
        raise typer.Exit(supervise(commands, until_idle=until_idle, stop=stop))
    gc.set_threshold(*_GC_THRESHOLDS)
    tally = Tally()
    Worker(settings, stop, tally).run(until_idle)
    if until_idle:
        with connect(settings.database_url) as connection:
            dead, held = count_holds(connection)
        typer.echo(f"published {tally.published}, {dead} dead, {held} held", err=True)


def consume(
    groups: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="GROUP", help="Groups to run; by default all of EVENT_BUS_CONSUMERS."
        ),
    ] = None,
    until_idle: Annotated[
        bool,
        typer.Option(
            "--until-idle",
            help="End when everything is read, nothing is parked, and dead letters are sent.",
        ),
    ] = False,
    processes: Annotated[
        int, typer.Option(min=1, max=64, help="Number of processes for each group.")
    ] = 1,
) -> None:
    """Run consumer groups: one in this process, several in a process each, or in more."""
    from relay.consume.discover import choose, discover
    from relay.consume.worker import consume as run_group
    from relay.schema.client.client import RegistryClient

    settings = load_settings()
    chosen = choose(discover(settings.consumers), groups or ())
    configure_logging()
    stop = stop_on_signals()
    watch_parent(stop)
    if len(chosen) > 1 or processes > 1:
        commands = {
            f"group {group.name}" + (f" {number}" if number else ""): ["consume", group.name]
            for group in chosen
            for number in range(processes)
        }
        raise typer.Exit(supervise(commands, until_idle=until_idle, stop=stop))
    gc.set_threshold(*_GC_THRESHOLDS)
    schemas = RegistryClient(settings.schema_registry_url)
    group, tally = chosen[0], Tally()
    run_group(settings, group, schemas, until_idle=until_idle, stop=stop, subscribers=[tally])
    if until_idle:
        typer.echo(f"{group.name}: handled {tally.handled}, {tally.dead} dead", err=True)


def reconcile(
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="End when every dead-letter topic is read.")
    ] = False,
) -> None:
    """Write what became of events in consumer groups to their outbox rows."""
    from relay.consume.dead_letters.reconciler import reconcile as bring_back

    settings = load_settings()
    configure_logging()
    read = bring_back(settings, until_idle=until_idle, stop=stop_on_signals())
    if until_idle:
        typer.echo(f"read {read} outcomes", err=True)


@registry.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen on, 0 for a free one.", min=0, max=65535)
    ] = 8081,
    database_url: Annotated[
        str | None, typer.Option(help="Used instead of EVENT_BUS_DATABASE_URL.")
    ] = None,
) -> None:
    """Serve Confluent's Schema Registry API from the relay's database until SIGTERM."""
    from relay.registry import serve as run

    if database_url is None:
        # The registry needs no broker, so none has to be configured.
        database_url = load_settings(kafka_bootstrap_servers="-").database_url
    run(database_url, host, port)
