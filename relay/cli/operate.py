"""`relay status|event|verify|doctor`: print what `relay.operate` finds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from relay.cli.output import JsonOption, NotDone, print_json, print_table
from relay.errors import BrokerUnavailable
from relay.postgres.connect import connect
from relay.settings import Settings, load_settings

if TYPE_CHECKING:
    from relay.kafka.offsets import Partition
    from relay.operate.status import ShardStatus
    from relay.operate.xray import XRay

__all__ = ["doctor", "event", "status", "verify"]

event = typer.Typer(help="Show what happened to an event.", no_args_is_help=True)

_STATE_COLORS = {
    "processed": "green",
    "resolved": "green",
    "passed": "cyan",
    "waiting": "yellow",
    "parked": "yellow",
    "dead": "red",
}
_LEVEL_COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


def status(as_json: JsonOption = False) -> None:
    """Show what is not published yet, and how far shards and consumer groups lag."""
    from relay.operate.status import read_status

    settings = load_settings()
    with connect(settings.database_url, application_name="relay status") as connection:
        found = read_status(settings, connection)
    if found.problem is not None:
        typer.echo(f"relay: the groups' lags are not known: {found.problem}", err=True)
    if as_json:
        print_json(found.to_json())
        return
    outbox = found.outbox
    age = outbox.oldest_undelivered_seconds
    waiting = "" if age is None else f", the oldest for {age:.1f} s"
    pruned = f", {outbox.pruned:,} pruned" if outbox.pruned else ""
    typer.echo(
        f"{outbox.events:,} events, {outbox.undelivered:,} not published{waiting}, "
        f"{outbox.dead:,} dead, {outbox.discarded:,} discarded{pruned}"
    )
    print_table(
        ("shard", "lag", "worker"),
        [(shard.shard, shard.lag, _owner(shard)) for shard in found.shards],
    )
    print_table(
        ("group", "lag", "parked", "dead"),
        [
            (group.group, "unknown" if group.lag is None else group.lag, group.parked, group.dead)
            for group in found.groups
        ],
    )


def _owner(shard: ShardStatus) -> str:
    owner = shard.worker or "none yet"
    if shard.unowned_seconds is not None:
        return f"none for {shard.unowned_seconds:,.0f} s, before that {owner}"
    return owner


@event.command()
def show(
    event_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the event.")],
    as_json: JsonOption = False,
) -> None:
    """Show an event's row, its place in Kafka, and its state in every consumer group."""
    from relay.operate.pruned import find_pruned
    from relay.operate.xray import look
    from relay.schema.catalog import Catalog

    settings = load_settings()
    catalog = Catalog.load(settings.schemas_dir)
    with connect(settings.database_url, application_name="relay event") as connection:
        found = look(
            connection, catalog, event_id, lambda groups, place: _committed(settings, groups, place)
        )
        pruned = None if found is not None else find_pruned(connection, event_id)
    if pruned is not None:
        raise NotDone(f"event {event_id} {pruned}")
    if found is None:
        raise NotDone(
            f"there is no event {event_id} in the outbox. Check the id, and that "
            "EVENT_BUS_DATABASE_URL is its database"
        )
    if as_json:
        print_json(found.to_json())
    else:
        _print_event(found)


def _committed(settings: Settings, groups: list[str], place: Partition) -> Mapping[str, int]:
    """Returns committed offsets; none, with a warning, while Kafka is unavailable."""
    from relay.kafka.offsets import committed_at

    try:
        return committed_at(settings, groups, place)
    except BrokerUnavailable as error:
        typer.echo(
            f"relay: {error} Groups without a row in the inbox are shown as waiting", err=True
        )
        return {}


def _print_event(found: XRay) -> None:
    console = Console()
    console.print(f"[bold]{escape(found.event.event_type)}[/bold]  {escape(found.event.id)}")
    facts = Table.grid(padding=(0, 2))
    for name, fact in _facts(found):
        facts.add_row(name, Text(fact))
    console.print(facts)
    if not found.groups:
        typer.echo("No consumer group of the catalog reads this event type.")
        return
    print_table(
        ("group", "state", "tries", "dead letter", "error"),
        [
            (
                view.group,
                Text(view.state, style=_STATE_COLORS[view.state]),
                view.attempts,
                "{topic}[{partition}]@{offset}".format_map(view.dlq) if view.dlq else "",
                view.error,
            )
            for view in found.groups
        ],
    )


def _facts(found: XRay) -> Iterator[tuple[str, str]]:
    event = found.event
    document = found.to_json()
    version = event.schema_version
    yield "schema", f"version {version}" if version else "the active version when it is published"
    yield "aggregate", f"{event.aggregate_type} {event.aggregate_id}"
    yield "occurred", document["event"]["occurredAt"]
    yield "written", f"{document['event']['createdAt']}, number {event.seq} of the outbox"
    if event.topic:
        offset = "unknown, beyond retention" if event.kafka_offset is None else event.kafka_offset
        yield (
            "published",
            f"{event.topic}, partition {event.partition}, offset {offset}\n"
            f"{document['delivery']['delivered_at']}, attempts: {event.delivery_attempts}",
        )
    else:
        yield "published", f"no: {event.delivery_state}, tries: {event.delivery_attempts}"
    for copy in found.copies:
        offset = "unknown" if copy.offset is None else copy.offset
        place = f"{copy.topic}, partition {copy.partition}, offset {offset}"
        yield f"also as v{copy.major}", place
    if event.dead_letter:
        yield "dead letter", "yes"
    if event.last_error:
        yield "error", event.last_error
    if event.discard_reason:
        yield "discarded", f"{document['delivery']['discarded']['at']}: {event.discard_reason}"
    yield "metadata", json.dumps(event.metadata, ensure_ascii=False)
    yield "payload", json.dumps(event.payload, ensure_ascii=False)


def verify(as_json: JsonOption = False) -> None:
    """Compare every event of the outbox with the topics: lost, twice, out of order, wrong flags.

    May run at any time, also while the relay publishes. Ends with 1 when something is wrong.
    """
    from rich.progress import Progress

    from relay.operate import verify

    settings = load_settings()
    errors = Console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("reading the topics", total=None)
        report = verify.verify(
            settings,
            lambda what, done, total: progress.update(
                task, description=what, completed=done, total=total or None
            ),
        )
    for line in report.problems():
        typer.echo(line, err=True)
    if as_json:
        print_json(report.counts)
    else:
        print_table(
            ("", "events"),
            [(name.replace("_", " "), count) for name, count in report.counts.items()],
        )
        typer.echo(f"Topics and outbox {'agree' if report.sound else 'do NOT agree'}.")
    if not report.sound:
        raise typer.Exit(1)


def doctor(as_json: JsonOption = False) -> None:
    """Print all settings with their sources, and check everything that the relay needs.

    Changes nothing. Ends with 1 when a check fails, with 2 when the settings can't be used.
    """
    from relay.operate.doctor import examine
    from relay.operate.settings_sources import describe_settings

    settings = load_settings()
    described = list(describe_settings(settings))
    if not as_json:
        print_table(("setting", "value", "from"), described)
    checks = []
    for check in examine(settings):
        checks.append(check)
        if not as_json:
            line = Text(f"{check.level:4}", style=_LEVEL_COLORS[check.level])
            Console().print(line.append(f" {check.check}: {check.message}", ""), soft_wrap=True)
    if as_json:
        print_json(
            {
                "settings": [setting._asdict() for setting in described],
                "checks": [check._asdict() for check in checks],
            }
        )
    if any(check.level == "fail" for check in checks):
        raise typer.Exit(1)
