"""`relay schemas propose|approve|activate|adopt|history`: who decides what is published.

They change the database and no file. Only `activate` registers, and only the version that it
activates.
"""

from __future__ import annotations

import typer

from relay.cli import schemas_output as output
from relay.cli.schemas_input import database
from relay.cli.schemas_retire import deprecate, retire
from relay.cli.schemas_reviewing import (
    ByOption,
    EventType,
    JsonOption,
    ReasonOption,
    Version,
    open_review,
)
from relay.errors import ConfigurationInvalid
from relay.schema.catalog import State
from relay.settings import load_settings

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Registers the commands in their order of use."""
    for command in (propose, approve, activate, deprecate, retire, adopt, history):
        app.command()(command)


def propose(
    event_type: EventType,
    version: Version,
    by: ByOption = None,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a version's file up for review; a changed text makes an approval void.

    Shows who reads the event type.
    """
    from relay.schema.approvals import store
    from relay.schema.approvals.transitions import Action

    with open_review(by) as review:
        wanted = review.catalog.version(event_type, version)
        review.require_begun()
        decider = review.actor
        moved = store.propose(review.connection, wanted, decider, reason)
        if moved is None:
            found = store.decision(review.connection, event_type, version)
            same = found is not None and found.text == wanted.text
            if found is None or not same or found.state not in (State.PROPOSED, State.APPROVED):
                review.refuse(Action.PROPOSE, event_type, version)
            output.note(f"{event_type} version {version} is {found.state} with this text already")
            moved, decider = found.state, found.approver or found.proposer
        readings = review.readings(event_type)
    output.moved(event_type, version, moved, decider, None, readings, as_json=as_json)


def approve(
    event_type: EventType,
    version: Version,
    by: ByOption = None,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Approve the text of a version, as its file has it here; the proposer can't.

    Shows who reads the event type.
    """
    from relay.schema.approvals import store
    from relay.schema.approvals.transitions import Action

    if not reason:
        raise ConfigurationInvalid(
            "an approval needs --reason: what was looked at, and why it is good"
        )
    with open_review(by) as review:
        wanted = review.catalog.version(event_type, version)
        moved = store.approve(review.connection, wanted, review.actor, reason)
        if moved is None:
            review.refuse(Action.APPROVE, event_type, version, wanted)
        readings = review.readings(event_type)
    output.moved(event_type, version, moved, review.actor, None, readings, as_json=as_json)


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
    from relay.schema.approvals.activation import Activated, activate
    from relay.schema.approvals.transitions import Action
    from relay.schema.client.client import RegistryClient

    with open_review(by) as review:
        catalog = review.catalog
        wanted = catalog.version(event_type, version)
        level = catalog.domains[catalog.event_type(event_type).domain].compatibility
        with RegistryClient(review.settings.schema_registry_url) as registry:
            done = activate(review.connection, registry, wanted, level, review.actor, reason)
        if done is None:
            review.refuse(Action.ACTIVATE, event_type, version, wanted)
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
    output.moved(event_type, version, State.ACTIVE, review.actor, more, as_json=as_json)


def adopt(
    event_type: EventType,
    by: ByOption = None,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take over an event type without a review, as its domain file lists it. It stays on record.

    For what was in use before it came here, and where there is nobody else to approve.
    """
    from relay.schema.approvals import store
    from relay.schema.approvals.adopt import adopt_event_type

    if not reason:
        raise ConfigurationInvalid("an adoption needs --reason: why nobody has to approve it")
    with open_review(by) as review:
        wanted = review.catalog.event_type(event_type)
        review.require_begun()
        adopted = adopt_event_type(review.connection, wanted, review.actor, reason)
        versions = store.decisions(review.connection, event_type)
        if not adopted:
            problem = (
                f"event type {event_type!r} is under review already. "
                "Its new versions are for relay schemas propose"
                if versions
                else f"the domain file lists no version of {event_type!r} as active, deprecated "
                "or retired. Propose one: relay schemas propose"
            )
            typer.echo(f"relay: {problem}", err=True)
            raise typer.Exit(1)
    output.note("Nothing was registered. Do that next: relay schemas register")
    output.adopted(event_type, versions, review.actor, as_json=as_json)


def history(event_type: EventType, as_json: JsonOption = False) -> None:
    """Show the versions of an event type and everything that was decided about them."""
    from relay.schema.approvals import store

    # The catalog may be without the event type by now.
    with database(load_settings(kafka_bootstrap_servers="-")) as connection:
        versions = store.decisions(connection, event_type)
        entries = store.history(connection, event_type)
    if not versions:
        typer.echo(
            f"relay: nothing was decided about event type {event_type!r}. Propose a version, or "
            "adopt what is in use: relay migrate does so once, then relay schemas adopt",
            err=True,
        )
        raise typer.Exit(1)
    output.history(event_type, versions, entries, as_json=as_json)
