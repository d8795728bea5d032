"""`relay schemas deprecate|retire`: the end of a version, and who would notice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from relay.cli import schemas_output as output
from relay.cli.schemas_input import day_of
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

if TYPE_CHECKING:
    from relay.schema.approvals.affected import Reading

__all__ = ["deprecate", "retire"]


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
    from relay.schema.approvals import store
    from relay.schema.approvals.transitions import Action

    day = day_of(sunset)
    with open_review(by) as review:
        moved = store.deprecate(
            review.connection, event_type, version, review.actor, reason, sunset=day
        )
        if moved is None:
            review.refuse(Action.DEPRECATE, event_type, version)
        readings = review.readings(event_type)
    more = {"sunset": day.isoformat() if day else None}
    output.moved(event_type, version, moved, review.actor, more, readings, as_json=as_json)


def retire(
    event_type: EventType,
    version: Version,
    by: ByOption = None,
    reason: ReasonOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Although it is still needed; needs --reason.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """End a deprecated version, or give a proposal up. Refused while it is still needed."""
    from relay.schema.approvals import store
    from relay.schema.approvals.affected import count_undelivered, still_read
    from relay.schema.approvals.transitions import Action

    if force and not reason:
        raise ConfigurationInvalid("--force needs --reason: it stays in the history")
    with open_review(by, broker=True) as review:
        found = store.decision(review.connection, event_type, version)
        if found is None:
            review.refuse(Action.RETIRE, event_type, version)
        # Nobody can have read or written a proposal, and what is active is refused below.
        readings: list[Reading] | None = []
        undelivered = 0
        if found.state is State.DEPRECATED:
            readings = review.readings(event_type, needed=not force)
            undelivered = count_undelivered(review.connection, event_type, version)
        quiet = timedelta(days=review.settings.retire_quiet_days)
        problems = still_read(readings or [], version, datetime.now(UTC), quiet)
        if undelivered:
            problems.append(f"{_events(undelivered)} still to be published")
        if problems and not force:
            typer.echo(
                f"relay: {event_type} version {version} is still needed: {'; '.join(problems)}. "
                "Wait until that is done, or give --force with --reason",
                err=True,
            )
            output.needed(readings, undelivered, as_json=as_json)
            raise typer.Exit(1)
        forced = bool(problems) or readings is None
        moved = store.retire(
            review.connection, event_type, version, review.actor, reason,
            seen=found.state, forced=forced,
        )  # fmt: skip
        if moved is None:
            review.refuse(Action.RETIRE, event_type, version)
    more = {"forced": forced, "undelivered": undelivered}
    output.moved(event_type, version, moved, review.actor, more, readings, as_json=as_json)


def _events(count: int) -> str:
    return "1 event under it is" if count == 1 else f"{count:,} events under it are"
