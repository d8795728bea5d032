"""Output of the commands of `relay schemas`: one JSON document, or text for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from relay.schema.approvals.affected import GroupReading
    from relay.schema.approvals.store import Decision, Entry
    from relay.schema.catalog import State

__all__ = ["adopted", "history", "moved", "needed", "note", "say_stale", "say_written"]


def note(text: str) -> None:
    """Prints a line on standard error, beside the result."""
    typer.echo(text, err=True)


def say_written(paths: Sequence[Path]) -> None:
    """Prints which files were written."""
    for path in paths:
        print(path)
    note(f"{len(paths)} files written")


def say_stale(paths: Sequence[Path], kind: str, fix: str) -> bool:
    """Prints which files are stale and returns whether any is. kind: of file; fix: what to do."""
    for path in paths:
        print(path)
    if paths:
        note(f"relay: {len(paths)} {kind} files are stale. {fix}")
    return bool(paths)


def moved(
    event_type: str,
    version: int,
    state: State,
    by: str,
    more: dict[str, Any] | None = None,
    readings: Sequence[GroupReading] | None = None,
    *,
    as_json: bool,
) -> None:
    """Prints a transition. readings: who is affected, for commands that show it."""
    if as_json:
        document: dict[str, Any] = {
            "eventType": event_type,
            "version": version,
            "state": state.value,
            "by": by,
            **(more or {}),
        }
        if readings is not None:
            document["readers"] = [reading.to_json() for reading in readings]
        _print_json(document)
        return
    typer.echo(f"{event_type} version {version} is {state}, by {by}")
    _readers(readings)


def adopted(event_type: str, versions: Sequence[Decision], by: str, *, as_json: bool) -> None:
    """Prints the versions of an event type that was adopted."""
    if as_json:
        found = [_decision(version) for version in versions]
        _print_json({"eventType": event_type, "by": by, "versions": found})
        return
    for version in versions:
        typer.echo(f"{event_type} version {version.version} is {version.state}, adopted by {by}")


def needed(readings: Sequence[GroupReading] | None, undelivered: int, *, as_json: bool) -> None:
    """Prints who still needs a version. undelivered: events under it that are not published."""
    if as_json:
        found = [reading.to_json() for reading in readings or ()]
        _print_json({"readers": found, "undelivered": undelivered})
    else:
        _readers(readings)


def _print_json(document: dict[str, Any]) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False))


def _readers(readings: Sequence[GroupReading] | None) -> None:
    if not readings:
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("group", "version last decoded", "when", "lag")
    for reading in readings:
        when = reading.last_decoded_at
        table.add_row(
            reading.group if reading.listed else f"{reading.group} (not in the catalog)",
            _version(reading),
            when.isoformat(timespec="seconds") if when else "",
            "unknown" if reading.lag is None else f"{reading.lag:,}",
        )
    Console().print(table)


def history(
    event_type: str, versions: Sequence[Decision], entries: Sequence[Entry], *, as_json: bool
) -> None:
    """Prints the versions and the decisions about them."""
    if as_json:
        _print_json(
            {
                "eventType": event_type,
                "versions": [_decision(version) for version in versions],
                "history": [_entry(entry) for entry in entries],
            }
        )
        return
    for version in versions:
        sunset = f", to be retired on {version.sunset}" if version.sunset else ""
        typer.echo(f"version {version.version} is {version.state}{sunset}")
    for entry in entries:
        change = " -> ".join(filter(None, (entry.from_state, entry.to_state)))
        reason = f": {entry.reason}" if entry.reason else ""
        forced = " (forced)" if entry.forced else ""
        typer.echo(
            f"{entry.at.isoformat(timespec='seconds')}  v{entry.version} {entry.action:9} "
            f"{change:22} {entry.actor}{forced}{reason}"
        )


def _version(reading: GroupReading) -> str:
    if reading.version is not None:
        return str(reading.version)
    return "nothing yet" if reading.schema_id is None else f"unknown, schema id {reading.schema_id}"


def _decision(version: Decision) -> dict[str, Any]:
    return {
        "version": version.version,
        "state": version.state.value,
        "subject": version.subject,
        "fingerprint": version.fingerprint.hex(),
        "adopted": version.adopted,
        "proposer": version.proposer,
        "approver": version.approver,
        "reason": version.reason,
        "sunset": version.sunset.isoformat() if version.sunset else None,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "at": entry.at.isoformat(),
        "version": entry.version,
        "action": entry.action,
        "from": entry.from_state,
        "to": entry.to_state,
        "by": entry.actor,
        "databaseUser": entry.db_user,
        "reason": entry.reason,
        "forced": entry.forced,
        "sunset": entry.sunset.isoformat() if entry.sunset else None,
        "digest": entry.digest.hex(),
    }
