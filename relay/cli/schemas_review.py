"""`relay schemas propose|approve|activate|deprecate|retire|history`: who decides what is published.

They change the database and no file. Only `activate` registers, and only the version that it
activates.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from relay.catalog import Catalog, SchemaVersion, State
from relay.cli import schemas_output as output
from relay.cli.schemas_input import actor_of, database, day_of
from relay.errors import BrokerUnavailable, ConfigurationInvalid
from relay.settings import Settings, load_settings

if TYPE_CHECKING:
    import psycopg

    from relay.governance.affected import Reading
    from relay.governance.transitions import Action

__all__ = ["add_to"]

EventType = Annotated[str, typer.Argument(help="Event type, e.g. order.paid.")]
Version = Annotated[int, typer.Argument(min=1, help="Number of the schema version.")]
ByOption = Annotated[
    str | None, typer.Option("--by", help="Who decides; the operating system's user without.")
]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="Why; kept in the history.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document.")]


def add_to(app: typer.Typer) -> None:
    """Registers the commands in their order of use."""
    for command in (propose, approve, activate, deprecate, retire, history):
        app.command()(command)


def propose(
    event_type: EventType,
    version: Version,
    by: ByOption = None,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a version's file up for review; a changed text makes an approval void."""
    from relay.governance import store
    from relay.governance.transitions import Action

    settings, actor = _settings(), actor_of(by)
    wanted = _catalog(settings).version(event_type, version)
    with database(settings) as connection:
        moved = store.propose(connection, wanted, actor, reason)
        if moved is None:
            found = store.decision(connection, event_type, version)
            same = found is not None and found.text == wanted.text
            if found is None or not same or found.state not in (State.PROPOSED, State.APPROVED):
                _refuse(connection, Action.PROPOSE, event_type, version, actor)
            output.note(f"{event_type} version {version} is {found.state} with this text already")
            moved = found.state
    output.moved(event_type, version, moved, actor, as_json=as_json)


def approve(
    event_type: EventType,
    version: Version,
    by: ByOption = None,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Approve the text of a version, as its file has it here; the proposer can't."""
    from relay.governance import store
    from relay.governance.transitions import Action

    settings, actor = _settings(), actor_of(by)
    if not reason:
        raise ConfigurationInvalid(
            "an approval needs --reason: what was looked at, and why it is good"
        )
    wanted = _catalog(settings).version(event_type, version)
    with database(settings) as connection:
        moved = store.approve(connection, wanted, actor, reason)
        if moved is None:
            _refuse(connection, Action.APPROVE, event_type, version, actor, wanted)
    output.moved(event_type, version, moved, actor, as_json=as_json)


def activate(
    event_type: EventType,
    version: Version,
    by: ByOption = None,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish under this version from now on; the one before it becomes deprecated.

    Registers it at the registry where it is not there yet, before anything else changes.
    """
    from relay.governance.activation import Activated, activate
    from relay.governance.transitions import Action
    from relay.registry.client import RegistryClient

    settings, actor = _settings(), actor_of(by)
    catalog = _catalog(settings)
    wanted = catalog.version(event_type, version)
    level = catalog.domains[catalog.event_type(event_type).domain].compatibility
    with (
        database(settings) as connection,
        RegistryClient(settings.schema_registry_url) as registry,
    ):
        done = activate(connection, registry, wanted, level, actor, reason)
        if done is None:
            _refuse(connection, Action.ACTIVATE, event_type, version, actor, wanted)
    if not isinstance(done, Activated):
        typer.echo(f"relay: {event_type} version {version} is refused: {done.problem}", err=True)
        raise typer.Exit(1)
    outcome = "registered" if done.registered else "was there already"
    output.note(f"{wanted.subject} {outcome}, schema id {done.schema_id}")
    if done.replaced is not None:
        output.note(f"{event_type} version {done.replaced} is deprecated now")
    if wanted.state is not State.ACTIVE:
        output.note(f"its domain file says {wanted.state}. Set it to active there, and generate")
    more = {"schemaId": done.schema_id, "registered": done.registered, "replaced": done.replaced}
    output.moved(event_type, version, State.ACTIVE, actor, more, as_json=as_json)


def deprecate(
    event_type: EventType,
    version: Version,
    by: ByOption = None,
    reason: ReasonOption = None,
    sunset: Annotated[
        str | None, typer.Option("--sunset", help="Day on which it is to be retired, YYYY-MM-DD.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Announce the end of a version; publishers may still use it. Shows who reads it."""
    from relay.governance import store
    from relay.governance.transitions import Action

    day = day_of(sunset)
    settings, actor = load_settings(), actor_of(by)
    catalog = _catalog(settings)
    with database(settings) as connection:
        moved = store.deprecate(connection, event_type, version, actor, reason, sunset=day)
        if moved is None:
            _refuse(connection, Action.DEPRECATE, event_type, version, actor)
        readings = _readings(settings, connection, catalog, event_type, needed=False)
    more = {"sunset": day.isoformat() if day else None}
    output.moved(event_type, version, moved, actor, more, readings, as_json=as_json)


def retire(
    event_type: EventType,
    version: Version,
    by: ByOption = None,
    reason: ReasonOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Although groups still read it; needs --reason.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """End a deprecated version, or give a proposal up. Refused while somebody still reads it."""
    from relay.governance import store
    from relay.governance.affected import still_read
    from relay.governance.transitions import Action

    if force and not reason:
        raise ConfigurationInvalid("--force needs --reason: it stays in the history")
    settings, actor = load_settings(), actor_of(by)
    catalog = _catalog(settings)
    with database(settings) as connection:
        found = store.decision(connection, event_type, version)
        if found is None:
            _refuse(connection, Action.RETIRE, event_type, version, actor)
        # Nobody can have read a proposal, and what is active is refused below.
        readings: list[Reading] | None = []
        if found.state is State.DEPRECATED:
            readings = _readings(settings, connection, catalog, event_type, needed=not force)
        quiet = timedelta(days=settings.retire_quiet_days)
        problems = still_read(readings or [], version, datetime.now(UTC), quiet)
        if problems and not force:
            typer.echo(
                f"relay: {event_type} version {version} is still read: {'; '.join(problems)}. "
                "Wait for them, or give --force with --reason",
                err=True,
            )
            output.readers(readings, as_json=as_json)
            raise typer.Exit(1)
        moved = store.retire(
            connection, event_type, version, actor, reason,
            seen=found.state, forced=bool(problems) or readings is None,
        )  # fmt: skip
        if moved is None:
            _refuse(connection, Action.RETIRE, event_type, version, actor)
    more = {"forced": bool(problems) or readings is None}
    output.moved(event_type, version, moved, actor, more, readings, as_json=as_json)


def history(event_type: EventType, as_json: JsonOption = False) -> None:
    """Show the versions of an event type and everything that was decided about them."""
    from relay.governance import store

    settings = _settings()
    with database(settings) as connection:
        versions = store.decisions(connection, event_type)
        entries = store.history(connection, event_type)
    if not versions:
        typer.echo(
            f"relay: nothing was decided about event type {event_type!r}. "
            "Adopt what is in use with relay migrate, or propose a version",
            err=True,
        )
        raise typer.Exit(1)
    output.history(event_type, versions, entries, as_json=as_json)


def _settings() -> Settings:
    # These commands need no broker.
    return load_settings(kafka_bootstrap_servers="-")


def _catalog(settings: Settings) -> Catalog:
    return Catalog.load(settings.schemas_dir)


def _readings(
    settings: Settings,
    connection: psycopg.Connection[Any],
    catalog: Catalog,
    event_type: str,
    *,
    needed: bool,
) -> list[Reading] | None:
    """Who reads the event type; None when the broker can't tell and that is not `needed`."""
    from relay.reconcile.readers import read_readers

    try:
        return read_readers(settings, connection, catalog, event_type)
    except BrokerUnavailable as error:
        if needed:
            raise
        output.note(f"who reads it is not known: {error}")
        return None


def _refuse(
    connection: psycopg.Connection[Any],
    action: Action,
    event_type: str,
    version: int,
    actor: str,
    wanted: SchemaVersion | None = None,
) -> NoReturn:
    from relay.governance import store
    from relay.governance.explain import explain

    found = store.decision(connection, event_type, version)
    text = wanted.text if wanted is not None else None
    problem = explain(action, event_type, version, found, by=actor, text=text)
    typer.echo(f"relay: {problem}", err=True)
    raise typer.Exit(1)
