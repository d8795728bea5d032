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
    from relay.consume.dead_letters.store import DeadLetter, Filter

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
def list_dead_letters(
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
    found = _find(_filter((), group, event_type, aggregate, since, states=states))
    if as_json:
        _print_json({"dead_letters": [each.to_json() for each in found]})
        return
    _print_table(found)


@app.command()
def show(
    event_id: Annotated[str, typer.Argument(help="Id of the event.")],
    group: GroupOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything about an event's dead letters."""
    from relay.consume.dead_letters.store import ALL_STATES

    found = _find(_filter((event_id,), group, None, None, None, states=ALL_STATES))
    if not found:
        typer.echo(
            f"relay: no dead letter of event {event_id}. See: relay dlq list --all", err=True
        )
        raise typer.Exit(1)
    if as_json:
        _print_json({"dead_letters": [each.to_json(details=True) for each in found]})
        return
    for each in found:
        for name, value in each.to_json(details=True).items():
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
    """Send dead letters again, each only to its group."""
    from relay.consume.dead_letters.replay import replay as send_again
    from relay.postgres.connect import connect
    from relay.settings import load_settings

    wanted = _filter(
        event_ids or (), group, event_type, aggregate, since, states=_states_for(event_ids)
    )
    _refuse_unrestricted(wanted, everything)
    settings = load_settings()
    found = _find(wanted)
    with connect(settings.database_url) as connection:
        sent = send_again(settings, connection, found)
    if as_json:
        replayed = [
            each.dead_letter.to_json()
            | {"retry": {"topic": each.topic, "partition": each.partition, "offset": each.offset}}
            for each in sent
        ]
        _print_json({"replayed": replayed})
    else:
        for each in sent:
            later = each.dead_letter.later_events
            typer.echo(
                f"{each.dead_letter.event_id} again for {each.dead_letter.group_name}"
                + (f", after {later} later events of its aggregate" if later else "")
            )
        typer.echo(f"{len(sent)} replayed", err=True)
    _exit_if_missing(event_ids, found)


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
    """Discard dead letters for good; the events keep their flag."""
    from relay.consume.dead_letters.discard import discard as discard_all
    from relay.postgres.connect import connect
    from relay.settings import load_settings

    wanted = _filter(event_ids or (), group, event_type, aggregate, since)
    _refuse_unrestricted(wanted, everything)
    found = _find(wanted)
    with connect(load_settings().database_url) as connection:
        discarded, refused = discard_all(connection, found)
    if as_json:
        _print_json(
            {
                "discarded": [each.to_json() for each in discarded],
                "refused": [each.to_json() for each in refused],
            }
        )
    else:
        for each in discarded:
            typer.echo(f"{each.event_id} discarded for {each.group_name}")
        for each in refused:
            typer.echo(
                f"{each.event_id} not discarded for {each.group_name}: it is being tried "
                "again, or could not be published",
                err=True,
            )
        typer.echo(f"{len(discarded)} discarded", err=True)
    if refused:
        raise typer.Exit(1)
    _exit_if_missing(event_ids, found)


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
        since=_timestamp(since),
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


def _find(wanted: Filter) -> list[DeadLetter]:
    from relay.consume.dead_letters.store import find
    from relay.postgres.connect import connect
    from relay.settings import load_settings

    with connect(load_settings().database_url) as connection:
        return find(connection, wanted)


def _timestamp(since: str | None) -> datetime | None:
    if since is None:
        return None
    try:
        if age := AGE.fullmatch(since):
            return datetime.now(UTC) - timedelta(**{UNITS[age[2]]: int(age[1])})
        found = datetime.fromisoformat(since)
        return found if found.tzinfo else found.astimezone()
    except (ValueError, OverflowError):
        raise ConfigurationInvalid(
            f"--since {since!r} is neither an RFC 3339 timestamp nor an age such as 30m, 2h, 7d"
        ) from None


def _exit_if_missing(event_ids: Sequence[str] | None, found: Sequence[DeadLetter]) -> None:
    missing = set(event_ids or ()) - {each.event_id for each in found}
    if missing:
        typer.echo(f"relay: no dead letter of {', '.join(sorted(missing))}", err=True)
        raise typer.Exit(1)


def _print_json(document: dict[str, Any]) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False))


def _print_table(found: Sequence[DeadLetter]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("event", "group", "type", "aggregate", "state", "tries", "failed at", "error")
    for each in found:
        table.add_row(
            each.event_id,
            each.group_name,
            each.event_type or "",
            each.aggregate_id or "",
            each.state,
            str(each.attempt),
            each.failed_at.isoformat(timespec="seconds"),
            each.error,
        )
    Console().print(table)
