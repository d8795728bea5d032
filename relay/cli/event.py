"""`relay event`: one event, and what happened to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from relay.kafka.offsets import Partition
    from relay.operate.xray import XRay
    from relay.settings import Settings

__all__ = ["app"]

app = typer.Typer(help="One event, and what happened to it.", no_args_is_help=True)

_COLORS = {
    "processed": "green",
    "resolved": "green",
    "passed": "cyan",
    "waiting": "yellow",
    "parked": "yellow",
    "dead": "red",
}


@app.callback()
def event() -> None:
    """One event, and what happened to it."""


@app.command()
def show(
    event_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the event.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Show an event's row, its place in Kafka, and where it stands in every consumer group."""
    from relay.operate.xray import look
    from relay.postgres.connect import connect
    from relay.schema.catalog import Catalog
    from relay.settings import load_settings

    settings = load_settings()
    catalog = Catalog.load(settings.schemas_dir)
    with connect(settings.database_url, application_name="relay event") as connection:
        found = look(
            connection, catalog, event_id, lambda groups, place: _committed(settings, groups, place)
        )
    if found is None:
        typer.echo(
            f"relay: there is no event {event_id} in the outbox. Check the id, and that "
            "EVENT_BUS_DATABASE_URL is its database",
            err=True,
        )
        raise typer.Exit(1)
    if as_json:
        typer.echo(json.dumps(found.to_json(), ensure_ascii=False))
    else:
        _print(found)


def _committed(settings: Settings, groups: list[str], place: Partition) -> Mapping[str, int]:
    """Committed offsets; none, and a line that says so, while Kafka is unavailable."""
    from relay.errors import BrokerUnavailable
    from relay.kafka.offsets import committed_at
    from relay.kafka.topics import open_admin

    try:
        return committed_at(open_admin(settings), groups, place)
    except BrokerUnavailable as error:
        typer.echo(
            f"relay: {error} Groups without a row in the inbox are shown as waiting", err=True
        )
        return {}


def _print(found: XRay) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    event = found.delivery
    content: dict[str, Any] = found.to_json()["event"]
    console.print(f"[bold]{escape(event.event_type)}[/bold]  {escape(event.id)}")
    facts = Table.grid(padding=(0, 2))
    facts.add_row("aggregate", escape(f"{event.aggregate_type} {event.aggregate_id}"))
    facts.add_row("occurred", content["occurredAt"])
    facts.add_row("written", f"{content['createdAt']}, number {event.seq} of the outbox")
    if event.topic:
        offset = "unknown, beyond retention" if event.kafka_offset is None else event.kafka_offset
        place = f"{event.topic}, partition {event.partition}, offset {offset}"
        when = found.to_json()["delivery"]["delivered_at"]
        facts.add_row("published", escape(f"{place}\n{when}, attempts: {event.delivery_attempts}"))
    else:
        facts.add_row("published", f"no: {event.delivery_state}, tries: {event.delivery_attempts}")
    for copy in found.copies:
        offset = "unknown" if copy.kafka_offset is None else copy.kafka_offset
        place = f"{copy.topic}, partition {copy.partition}, offset {offset}"
        facts.add_row(f"also as v{copy.major}", escape(place))
    if event.dead_letter:
        facts.add_row("dead letter", "[red]yes[/red]")
    if event.last_error:
        facts.add_row("error", escape(event.last_error))
    facts.add_row("metadata", escape(json.dumps(event.metadata, ensure_ascii=False)))
    facts.add_row("payload", escape(json.dumps(event.payload, ensure_ascii=False)))
    console.print(facts)
    if not found.groups:
        console.print("No consumer group of the catalog wants this type.")
        return
    table = Table("group", "state", "tries", "dead letter", "error")
    for view in found.groups:
        table.add_row(
            escape(view.group),
            f"[{_COLORS[view.state]}]{view.state.value}[/]",
            str(view.attempts),
            escape("{}[{}]@{}".format(*view.dlq)) if view.dlq else "",
            escape(view.error or ""),
        )
    console.print(table)
