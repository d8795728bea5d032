"""`relay schemas propose|approve|activate|deprecate|retire|adopt|history`: what is published.

They change the database and no file. Only `activate` registers, and only the version that it
activates.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from relay.cli import schemas_output as output
from relay.cli.output import JsonOption, NotDone
from relay.cli.schemas_input import (
    ByOption,
    EventType,
    ForceOption,
    ReasonOption,
    SunsetOption,
    Version,
    database,
    open_review,
)
from relay.errors import ConfigurationInvalid
from relay.schema.approvals import store
from relay.schema.approvals.adopt import adopt_event_type
from relay.schema.approvals.affected import GroupReading, count_undelivered, still_read
from relay.schema.approvals.registration import activate as activate_version
from relay.schema.approvals.transitions import Action
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
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Put a version's file up for review; a changed text makes an approval void.

    Checks it like relay schemas check, and shows who reads the event type.
    """
    _require_reason(force, reason)
    with open_review(by) as review:
        wanted = review.catalog.version(event_type, version)
        review.require_begun()
        reason = review.check(wanted, reason, force=force)
        decider = review.actor
        moved = store.propose(review.connection, wanted, decider, reason)
        if moved is None:
            found = store.decision(review.connection, event_type, version)
            same = found is not None and found.text == wanted.text
            if found is None or not same or found.state.has_been_in_use:
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
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Approve the text of a version, as the file here has it; the proposer can't.

    Shows what changes, checks it like relay schemas check, and shows who reads the event type.
    """
    if not reason:
        raise ConfigurationInvalid(
            "an approval needs --reason: what was looked at, and why it is good"
        )
    with open_review(by) as review:
        wanted = review.catalog.version(event_type, version)
        reason = review.check(wanted, reason, force=force) or reason
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

    Registers it at the registry before anything else changes, unless it is there already.
    """
    from relay.schema.client.client import RegistryClient

    with open_review(by) as review:
        catalog = review.catalog
        wanted = catalog.version(event_type, version)
        level = catalog.domains[catalog.event_type(event_type).domain].compatibility
        with RegistryClient(review.settings.schema_registry_url) as registry:
            done = activate_version(
                review.connection, registry, wanted, level, review.actor, reason
            )
        if done is None:
            review.refuse(Action.ACTIVATE, event_type, version, wanted)
        if done.problem is not None:
            raise NotDone(f"{event_type} version {version} is refused: {done.problem}")
    outcome = "registered" if done.new else "was there already"
    output.note(f"{wanted.subject} {outcome}, schema id {done.schema_id}")
    if done.replaced is not None:
        output.note(f"{event_type} version {done.replaced} is deprecated now")
    if wanted.state is not State.ACTIVE:
        output.note(f"its domain file says {wanted.state}. Set it to active there, and generate")
    more = {"schemaId": done.schema_id, "registered": done.new, "replaced": done.replaced}
    output.moved(event_type, version, State.ACTIVE, review.actor, more, as_json=as_json)


def deprecate(
    event_type: EventType,
    version: Version,
    by: ByOption = None,
    reason: ReasonOption = None,
    sunset: SunsetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Announce the end of a version; publishers may still use it. Shows who reads it."""
    with open_review(by) as review:
        moved = store.deprecate(
            review.connection, event_type, version, review.actor, reason, sunset=sunset
        )
        if moved is None:
            review.refuse(Action.DEPRECATE, event_type, version)
        readings = review.readings(event_type)
    more = {"sunset": sunset.isoformat() if sunset else None}
    output.moved(event_type, version, moved, review.actor, more, readings, as_json=as_json)


def retire(
    event_type: EventType,
    version: Version,
    by: ByOption = None,
    reason: ReasonOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Retire it although it is still needed; needs --reason.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Retire a deprecated version, or withdraw a proposal. Refused while it is still needed."""
    _require_reason(force, reason)
    with open_review(by, broker=True) as review:
        found = store.decision(review.connection, event_type, version)
        if found is None:
            review.refuse(Action.RETIRE, event_type, version)
        # Nobody can have read or written a proposal, and an active version is refused below.
        readings: list[GroupReading] | None = []
        undelivered = 0
        if found.state is State.DEPRECATED:
            readings = review.readings(event_type, needed=not force)
            undelivered = count_undelivered(review.connection, event_type, version)
        quiet = timedelta(days=review.settings.retire_quiet_days)
        problems = still_read(readings or [], version, datetime.now(UTC), quiet)
        if undelivered:
            problems.append(f"{_events(undelivered)} still to be published")
        if problems and not force:
            output.needed(readings, undelivered, as_json=as_json)
            raise NotDone(
                f"{event_type} version {version} is still needed: {'; '.join(problems)}. "
                "Wait until that is done, or give --force with --reason"
            )
        forced = bool(problems) or readings is None
        moved = store.retire(
            review.connection, event_type, version, review.actor, reason,
            seen=found.state, forced=forced,
        )  # fmt: skip
        if moved is None:
            review.refuse(Action.RETIRE, event_type, version)
    more = {"forced": forced, "undelivered": undelivered}
    output.moved(event_type, version, moved, review.actor, more, readings, as_json=as_json)


def _require_reason(force: bool, reason: str | None) -> None:
    if force and not reason:
        raise ConfigurationInvalid("--force needs --reason: it stays in the history")


def _events(count: int) -> str:
    return "1 event under it is" if count == 1 else f"{count:,} events under it are"


def adopt(
    event_type: EventType,
    by: ByOption = None,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Adopt an event type without a review, as its domain file lists it. It stays on record.

    For event types that were in use before, and if there is nobody else to approve.
    """
    if not reason:
        raise ConfigurationInvalid("an adoption needs --reason: why nobody has to approve it")
    with open_review(by) as review:
        wanted = review.catalog.event_type(event_type)
        review.require_begun()
        adopted = adopt_event_type(review.connection, wanted, review.actor, reason)
        versions = store.decisions(review.connection, event_type)
        if not adopted:
            raise NotDone(
                f"event type {event_type!r} is under review already. "
                "Propose its new versions: relay schemas propose"
                if versions
                else f"the domain file lists no version of {event_type!r} as active, deprecated "
                "or retired. Propose one: relay schemas propose"
            )
    output.note("Nothing was registered. Do that next: relay schemas register")
    output.adopted(event_type, versions, review.actor, as_json=as_json)


def history(event_type: EventType, as_json: JsonOption = False) -> None:
    """Show the versions of an event type and everything that was decided about them."""
    # Needs no catalog, which may no longer have the event type.
    with database(load_settings(kafka_bootstrap_servers="-")) as connection:
        versions = store.decisions(connection, event_type)
        entries = store.history(connection, event_type)
    if not versions:
        raise NotDone(
            f"nothing was decided about event type {event_type!r}. Propose a version, or "
            "adopt what is in use: relay migrate does so once, then relay schemas adopt"
        )
    output.history(event_type, versions, entries, as_json=as_json)
