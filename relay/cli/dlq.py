"""`relay dlq`: dead letters of consumer groups and of the relay itself."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relay.cli.output import JsonOption, NotDone, print_json, stripped_reason
from relay.consume.dead_letters.store import (
    ALL_STATES,
    LONGEST_REASON,
    OPEN_STATES,
    RELAY,
    DeadLetter,
    Filter,
    find,
)
from relay.errors import ConfigurationInvalid
from relay.postgres.connect import connect
from relay.settings import load_settings

if TYPE_CHECKING:
    from relay.schema.client.client import RegistryClient

__all__ = ["app"]

app = typer.Typer(help="List, replay and discard dead letters.", no_args_is_help=True)

_AGE = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_MOST_FOUND = 1_000_000


def _timestamp(since: str) -> datetime:
    try:
        if age := _AGE.fullmatch(since):
            return datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
        found = datetime.fromisoformat(since)
        return found if found.tzinfo else found.astimezone()
    except (ValueError, OverflowError):
        raise ConfigurationInvalid(
            f"--since {since!r} is neither an RFC 3339 timestamp nor an age such as 30m, 2h, 7d"
        ) from None


Ids = Annotated[list[str] | None, typer.Argument(help="Ids of events.")]
GroupOption = Annotated[
    str | None,
    typer.Option("--group", help="Consumer group; `relay` for what could not be published."),
]
TypeOption = Annotated[str | None, typer.Option("--type", help="Event type.")]
AggregateOption = Annotated[str | None, typer.Option("--aggregate", help="Aggregate id.")]
SinceOption = Annotated[
    datetime | None,
    typer.Option(
        "--since",
        metavar="TIME",
        parser=_timestamp,
        help="Failed since: RFC 3339 timestamp, or an age such as 30m, 2h, 7d.",
    ),
]
AllOption = Annotated[bool, typer.Option("--all", help="All dead letters.")]


@app.command(name="list")
def list_dead_letters(
    group: GroupOption = None,
    event_type: TypeOption = None,
    aggregate: AggregateOption = None,
    since: SinceOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Include resolved and discarded ones.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List dead letters, the oldest first."""
    states = ALL_STATES if everything else OPEN_STATES
    found = _find(Filter(group, event_type, aggregate, since, (), states, _MOST_FOUND))
    if as_json:
        print_json({"dead_letters": [each.to_json() for each in found]})
        return
    for each in found:
        of = f"{each.event_type or '-'} {each.aggregate_id or '-'}"
        failed_at = each.failed_at.isoformat(timespec="seconds")
        state = f"{each.state} after {each.attempt} tries at {failed_at}"
        typer.echo(f"{each.event_id} {each.group_name} {of} {state}")
        typer.echo(f"    {' '.join(each.error.split())}")
    if not found:
        typer.echo("no dead letters", err=True)


@app.command()
def show(
    event_id: Annotated[str, typer.Argument(help="Id of the event.")],
    group: GroupOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything about an event's dead letters, with the decoded payload."""
    from relay.operate.timeline import read_event
    from relay.schema.client.client import RegistryClient

    settings = load_settings()
    with connect(settings.database_url) as connection:
        wanted = Filter(group, event_ids=(event_id,), states=ALL_STATES, limit=_MOST_FOUND)
        found = find(connection, wanted)
        event = read_event(connection, event_id)
    if not found:
        raise NotDone(f"no dead letter of event {event_id}. See: relay dlq list --all")
    documents = []
    with RegistryClient(settings.schema_registry_url) as registry:
        for each in found:
            document = each.to_json(details=True)
            if each.group_name == RELAY:
                document["payload"] = event and event.payload
            else:
                document |= _decoded(each, registry)
            documents.append(document)
    if as_json:
        print_json({"dead_letters": documents})
        return
    for document in documents:
        for name, value in document.items():
            typer.echo(f"{name:16} {_readable(name, value)}")
        typer.echo("")


def _decoded(dead_letter: DeadLetter, registry: RegistryClient) -> dict[str, Any]:
    """The decoded payload, or why there is none."""
    from relay.consume.dead_letters.payload import PayloadUnreadable, payload_of

    try:
        return {"payload": payload_of(dead_letter, registry)}
    except PayloadUnreadable as error:
        return {"payload": None, "payload_problem": str(error)}


def _readable(name: str, value: Any) -> str:
    """A field of a dead letter as text: places in short, other JSON indented."""
    if name in {"origin", "dlq"} and value is not None:
        return "{topic}[{partition}]@{offset}".format_map(value)
    if name == "stacktrace" and value:
        return f"\n{value}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


@app.command()
def replay(
    event_ids: Ids = None,
    group: GroupOption = None,
    event_type: TypeOption = None,
    aggregate: AggregateOption = None,
    since: SinceOption = None,
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Send dead letters again, each only to its group."""
    from relay.consume.dead_letters.replay import replay as send_again
    from relay.operate.pruned import find_pruned

    # Those named by their ids may also be discarded or replayed already.
    states = ("dead", "replayed", "discarded") if event_ids else ("dead",)
    wanted = Filter(group, event_type, aggregate, since, event_ids or (), states, _MOST_FOUND)
    _require_restriction(wanted, everything)
    found = _find(wanted)
    settings = load_settings()
    with connect(settings.database_url) as connection:
        for event_id in event_ids or ():
            if (pruned := find_pruned(connection, event_id)) is not None:
                raise NotDone(f"event {event_id} {pruned}. Nothing was replayed")
        sent = send_again(settings, connection, found)
    if as_json:
        replayed = [
            each.dead_letter.to_json()
            | {"retry": {"topic": each.topic, "partition": each.partition, "offset": each.offset}}
            for each in sent
        ]
        print_json({"replayed": replayed})
    else:
        for each in sent:
            later = each.dead_letter.later_events
            typer.echo(
                f"{each.dead_letter.event_id} again for {each.dead_letter.group_name}"
                + (f", after {later} later events of its aggregate" if later else "")
            )
        typer.echo(f"{len(sent)} replayed", err=True)
    _require_all(event_ids, found)
    if left := {each.event_id for each in found} - {each.dead_letter.event_id for each in sent}:
        raise NotDone(f"{', '.join(sorted(left))} not replayed: it is tried or discarded right now")


@app.command()
def discard(
    event_ids: Ids = None,
    group: GroupOption = None,
    event_type: TypeOption = None,
    aggregate: AggregateOption = None,
    since: SinceOption = None,
    everything: AllOption = False,
    reason: Annotated[
        str | None,
        typer.Option(
            "--reason", help="Kept with the dead letter. Required for what could not be published."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Discard dead letters for good; the events keep their flag.

    An event that could not be published (--group relay) is never published, and the later events of
    its aggregate, which wait for it, go on without it.
    """
    from relay.consume.dead_letters.discard import discard as discard_all

    if reason is not None:
        reason = stripped_reason(reason, LONGEST_REASON)
    wanted = Filter(group, event_type, aggregate, since, event_ids or (), limit=_MOST_FOUND)
    _require_restriction(wanted, everything)
    found = _find(wanted)
    with connect(load_settings().database_url) as connection:
        discarded, refused = discard_all(connection, found, reason)
    if as_json:
        print_json(
            {
                "discarded": [each.to_json() for each in discarded],
                "refused": [each.to_json() for each in refused],
            }
        )
    else:
        for each in discarded:
            typer.echo(f"{each.event_id} discarded for {each.group_name}")
        for each in refused:
            why = (
                "the relay could not publish it, and later events of its aggregate would go on "
                "without it. Give a --reason"
                if each.group_name == RELAY and reason is None
                else "it is being retried"
            )
            typer.echo(f"{each.event_id} not discarded for {each.group_name}: {why}", err=True)
        typer.echo(f"{len(discarded)} discarded", err=True)
    if refused:
        raise typer.Exit(1)
    _require_all(event_ids, found)


def _require_restriction(wanted: Filter, everything: bool) -> None:
    given = (wanted.group, wanted.event_type, wanted.aggregate, wanted.since, wanted.event_ids)
    if not everything and not any(given):
        raise ConfigurationInvalid(
            "which dead letters? Give ids, --group, --type, --aggregate or --since, or --all"
        )


def _find(wanted: Filter) -> list[DeadLetter]:
    with connect(load_settings().database_url) as connection:
        return find(connection, wanted)


def _require_all(event_ids: Sequence[str] | None, found: Sequence[DeadLetter]) -> None:
    if missing := set(event_ids or ()) - {each.event_id for each in found}:
        raise NotDone(f"no dead letter of {', '.join(sorted(missing))}")
