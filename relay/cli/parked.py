"""`relay parked`: events of consumer groups that wait for their next attempt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from relay.cli.output import JsonOption, NotDone, print_json, stripped_reason
from relay.consume.dead_letters.store import LONGEST_REASON
from relay.errors import ConfigurationInvalid
from relay.operate import parked
from relay.operate.parked import ParkedEvent
from relay.postgres.connect import connect
from relay.settings import load_settings

__all__ = ["app"]

app = typer.Typer(help="List, retry and skip parked events.", no_args_is_help=True)

Ids = Annotated[list[str] | None, typer.Argument(help="Ids of events.")]
GroupOption = Annotated[str | None, typer.Option("--group", help="Consumer group.")]


@app.command(name="list")
def list_events(
    group: GroupOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Most keys to list.")] = 1_000,
    as_json: JsonOption = False,
) -> None:
    """List the first parked event of each key, those that are tried next first."""
    with connect(load_settings().database_url) as connection:
        found = parked.list_parked(connection, group=group, limit=limit)
    if as_json:
        print_json({"parked": [event.to_json() for event in found]})
        return
    for event in found:
        of = f"{event.event_type or '-'} {event.key.decode(errors='replace')}"
        at = event.next_attempt_at.isoformat(timespec="seconds")
        tried = f"tried {event.attempts} times, next at {at}"
        after = f", {_counted(event)} later events wait" if event.waiting else ""
        typer.echo(f"{event.event_id} {event.group_name} {of} {tried}{after}")
        if event.error:
            typer.echo(f"    {' '.join(event.error.split())}")
    if not found:
        typer.echo("no parked events", err=True)
    elif len(found) == limit:
        typer.echo(f"only the first {limit}; there may be more: --limit", err=True)


@app.command()
def retry(
    event_ids: Ids = None,
    group: GroupOption = None,
    everything: Annotated[bool, typer.Option("--all", help="All parked events.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Try parked events now instead of after their pause: the first of each key, then others."""
    if not (event_ids or group or everything):
        raise ConfigurationInvalid("which parked events? Give ids, --group or --all")
    with connect(load_settings().database_url) as connection:
        ids = event_ids or ()
        found = parked.list_parked(connection, group=group, event_ids=ids) if ids else []
        keys = parked.retry_parked(connection, group=group, event_ids=ids)
    if as_json:
        print_json({"keys": keys})
    else:
        for event in found:
            if not event.is_first:
                typer.echo(f"{event.event_id} comes after earlier events of its key")
        typer.echo(f"{keys} keys are tried now", err=True)
    _require_all(event_ids, found)


@app.command()
def skip(
    event_ids: Annotated[list[str], typer.Argument(help="Ids of events.")],
    reason: Annotated[str, typer.Option("--reason", help="Kept in the dead letter.")],
    group: GroupOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give parked events up: each gets a dead letter, and the later events of its key go on.

    `relay dlq replay` tries one again.
    """
    reason = stripped_reason(reason, LONGEST_REASON)
    with connect(load_settings().database_url) as connection:
        found = parked.list_parked(connection, group=group, event_ids=event_ids)
        skipped = [event for event in found if parked.skip_parked(connection, event, reason)]
    if as_json:
        print_json({"skipped": [event.to_json() for event in skipped]})
    else:
        for event in skipped:
            later = f", {_counted(event)} later events go on" if event.waiting else ""
            typer.echo(f"{event.event_id} skipped for {event.group_name}{later}")
        typer.echo(f"{len(skipped)} skipped", err=True)
    _require_all(event_ids, skipped)


def _counted(event: ParkedEvent) -> str:
    more = "more than " if event.waiting >= parked.MOST_COUNTED else ""
    return f"{more}{event.waiting:,}"


def _require_all(event_ids: Sequence[str] | None, found: Sequence[ParkedEvent]) -> None:
    if missing := set(event_ids or ()) - {event.event_id for event in found}:
        raise NotDone(f"not parked: {', '.join(sorted(missing))}. See: relay parked list")
