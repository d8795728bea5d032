"""Why an event was not written: its schema version is not in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from relay.errors import SchemaNotActive
from relay.postgres.sqlfile import load
from relay.schema.approvals.transitions import PUBLISHABLE, advice
from relay.schema.catalog import State

__all__ = ["require_written", "states_query", "undecided"]

_REMEDY: Final = (
    "Generate the classes from the approved text (relay schemas generate), or propose a new version"
)

# event type, version, state, fingerprint, logical digest
StateRow = Sequence[Any]


def states_query() -> bytes:
    """The statement that reads what is known of event types, a JSON array `event_types`."""
    return load(__package__, "read_states.sql")


def require_written(rows: Sequence[Mapping[str, Any]], found: Sequence[StateRow]) -> None:
    """Raises SchemaNotActive for the first of `rows` that kept them from being written.

    rows: with event_type, schema_version, fingerprint and logical_digest. found: what states_query
    gave for their event types.
    """
    for row in rows:
        event_type, version = row["event_type"], row["schema_version"]
        known = [each for each in found if each[0] == event_type]
        if not known:
            raise SchemaNotActive(undecided(event_type))
        if problem := _problem(version, row["fingerprint"], row["logical_digest"], known):
            raise SchemaNotActive(f"{event_type} version {version} {problem}")
    kinds = sorted({(row["event_type"], row["schema_version"]) for row in rows})
    named = ", ".join(f"{event_type} version {version}" for event_type, version in kinds)
    raise SchemaNotActive(f"{named} was not in use until a moment ago. Publish it again")


def undecided(event_type: str) -> str:
    """What is wrong with an event type of which no version is known, though others are."""
    return (
        f"nobody has decided about event type {event_type!r}, so its events are not published. "
        "Propose a version: relay schemas propose. Where it was in use before it came here, adopt "
        "it: relay schemas adopt"
    )


def _problem(
    version: int, fingerprint: bytes, logical_digest: bytes, known: Sequence[StateRow]
) -> str | None:
    """What is wrong with a version of an event type that is under review, None if nothing."""
    in_use = ", ".join(str(each[1]) for each in known if State(each[2]) in PUBLISHABLE)
    instead = f"; in use: {in_use}" if in_use else "; no version of it is in use"
    found = next((each for each in known if each[1] == version), None)
    if found is None:
        return f"is not known to the database, so nobody has approved it. {advice(None)}{instead}"
    state = State(found[2])
    if state not in PUBLISHABLE:
        return f"is {state}, and so not published. {advice(state)}{instead}"
    if bytes(found[3]) != fingerprint:
        return (
            f"is another schema here than the one that was approved: its fingerprint is "
            f"{fingerprint.hex()}, the approved one's is {bytes(found[3]).hex()}. {_REMEDY}"
        )
    if bytes(found[4]) != logical_digest:
        return (
            "has another logical type here than in the schema that was approved, such as a "
            "decimal's scale, so that readers would take its values for others; relay schemas "
            f"check names it. {_REMEDY}"
        )
    return None
