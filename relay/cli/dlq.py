"""`relay dlq`: dead letters of consumer groups and of the relay itself."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relay.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from relay.consume.dead_letters.store import Filter, Letter

__all__ = ["app"]

app = typer.Typer(help="Dead letters: what was given up, and why.", no_args_is_help=True)

Ids = Annotated[list[str] | None, typer.Argument(help="Ids of events; with several, all of them.")]
GroupOption = Annotated[
    str | None, typer.Option("--group", help="Consumer group; `relay`: could not be published.")
]
TypeOption = Annotated[str | None, typer.Option("--type", help="Event type.")]
AggregateOption = Annotated[str | None, typer.Option("--aggregate", help="Aggregate id.")]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since", help="Failed since: RFC 3339 timestamp, or an age such as 30m, 2h, 7d."
    ),
]
AllOption = Annotated[bool, typer.Option("--all", help="All there are.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document.")]

AGE = re.compile(r"(\d+)([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@app.command(name="list")
def list_letters(
    group: GroupOption = None,
    event_type: TypeOption = None,
    aggregate: AggregateOption = None,
    since: SinceOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Resolved and discarded ones too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List dead letters, the oldest first."""
    from relay.consume.dead_letters.store import ALL_STATES, OPEN_STATES

    states = ALL_STATES if everything else OPEN_STATES
    letters = _find(_filter((), group, event_type, aggregate, since, states=states))
    if as_json:
        _print_json({"dead_letters": [letter.to_json() for letter in letters]})
        return
    _print_table(letters)


@app.command()
def show(
    event_id: Annotated[str, typer.Argument(help="Id of the event.")],
    group: GroupOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything about an event's dead letters."""
    from relay.consume.dead_letters.store import ALL_STATES

    letters = _find(_filter((event_id,), group, None, None, None, states=ALL_STATES))
    if not letters:
        typer.echo(
            f"relay: no dead letter of event {event_id}. See: relay dlq list --all", err=True
        )
        raise typer.Exit(1)
    if as_json:
        _print_json({"dead_letters": [letter.to_json(details=True) for letter in letters]})
        return
    for letter in letters:
        for name, value in letter.to_json(details=True).items():
            typer.echo(f"{name:16} {value}")
        typer.echo("")


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
    """Send dead letters again, each to its group alone."""
    from relay.consume.dead_letters.store import replay as send_again
    from relay.postgres.connect import connect
    from relay.settings import load_settings

    wanted = _filter(
        event_ids or (), group, event_type, aggregate, since, states=_states_for(event_ids)
    )
    _refuse_unrestricted(wanted, everything)
    settings = load_settings()
    letters = _find(wanted)
    with connect(settings.database_url) as connection:
        sent = send_again(settings, connection, letters)
    if as_json:
        replayed = [
            one.letter.to_json()
            | {"retry": {"topic": one.topic, "partition": one.partition, "offset": one.offset}}
            for one in sent
        ]
        _print_json({"replayed": replayed})
    else:
        for one in sent:
            behind = one.letter.later_events
            typer.echo(
                f"{one.letter.event_id} again for {one.letter.group_name}"
                + (f", after {behind} later events of its aggregate" if behind else "")
            )
        typer.echo(f"{len(sent)} replayed", err=True)
    _exit_if_missing(event_ids, letters)


@app.command()
def discard(
    event_ids: Ids = None,
    group: GroupOption = None,
    event_type: TypeOption = None,
    aggregate: AggregateOption = None,
    since: SinceOption = None,
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Set dead letters aside for good; the events keep their flag."""
    from relay.consume.dead_letters.store import discard as set_aside
    from relay.postgres.connect import connect
    from relay.settings import load_settings

    wanted = _filter(event_ids or (), group, event_type, aggregate, since)
    _refuse_unrestricted(wanted, everything)
    letters = _find(wanted)
    with connect(load_settings().database_url) as connection:
        discarded, refused = set_aside(connection, letters)
    if as_json:
        _print_json(
            {
                "discarded": [letter.to_json() for letter in discarded],
                "refused": [letter.to_json() for letter in refused],
            }
        )
    else:
        for letter in discarded:
            typer.echo(f"{letter.event_id} discarded for {letter.group_name}")
        for letter in refused:
            typer.echo(
                f"{letter.event_id} not discarded for {letter.group_name}: it is being tried "
                "again, or could not be published",
                err=True,
            )
        typer.echo(f"{len(discarded)} discarded", err=True)
    if refused:
        raise typer.Exit(1)
    _exit_if_missing(event_ids, letters)


def _filter(
    event_ids: Sequence[str],
    group: str | None,
    event_type: str | None,
    aggregate: str | None,
    since: str | None,
    *,
    states: Sequence[str] | None = None,
) -> Filter:
    from relay.consume.dead_letters.store import OPEN_STATES, Filter

    return Filter(
        group=group,
        event_type=event_type,
        aggregate=aggregate,
        since=_moment(since),
        event_ids=tuple(event_ids),
        states=states or OPEN_STATES,
        limit=1_000_000,
    )


def _states_for(event_ids: Sequence[str] | None) -> Sequence[str]:
    """A replay takes what is dead; named by its id also what was discarded or is on its way."""
    return ("dead", "replayed", "discarded") if event_ids else ("dead",)


def _refuse_unrestricted(wanted: Filter, everything: bool) -> None:
    narrow = (wanted.group, wanted.event_type, wanted.aggregate, wanted.since, wanted.event_ids)
    if not everything and not any(narrow):
        raise ConfigurationInvalid(
            "which dead letters? Give ids, --group, --type, --aggregate or --since, or --all"
        )


def _find(wanted: Filter) -> list[Letter]:
    from relay.consume.dead_letters.store import find
    from relay.postgres.connect import connect
    from relay.settings import load_settings

    with connect(load_settings().database_url) as connection:
        return find(connection, wanted)


def _moment(since: str | None) -> datetime | None:
    if since is None:
        return None
    try:
        if age := AGE.fullmatch(since):
            return datetime.now(UTC) - timedelta(**{UNITS[age[2]]: int(age[1])})
        moment = datetime.fromisoformat(since)
        return moment if moment.tzinfo else moment.astimezone()
    except (ValueError, OverflowError):
        raise ConfigurationInvalid(
            f"--since {since!r} is neither an RFC 3339 timestamp nor an age such as 30m, 2h, 7d"
        ) from None


def _exit_if_missing(event_ids: Sequence[str] | None, letters: Sequence[Letter]) -> None:
    missing = set(event_ids or ()) - {letter.event_id for letter in letters}
    if missing:
        typer.echo(f"relay: no dead letter of {', '.join(sorted(missing))}", err=True)
        raise typer.Exit(1)


def _print_json(document: dict[str, Any]) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False))


def _print_table(letters: Sequence[Letter]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("event", "group", "type", "aggregate", "state", "tries", "failed at", "error")
    for letter in letters:
        table.add_row(
            letter.event_id,
            letter.group_name,
            letter.event_type or "",
            letter.aggregate_id or "",
            letter.state,
            str(letter.attempt),
            letter.failed_at.isoformat(timespec="seconds"),
            letter.error,
        )
    Console().print(table)
