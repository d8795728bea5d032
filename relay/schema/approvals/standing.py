"""What the catalog lists as in use and the database does not: its events are not published."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import psycopg

from relay.errors import SchemaNotActive
from relay.schema.approvals.adopt import has_begun
from relay.schema.approvals.refusal import states_query, undecided
from relay.schema.approvals.store import Decision, decisions
from relay.schema.approvals.transitions import PUBLISHABLE, advice
from relay.schema.catalog import Catalog, State

__all__ = ["binding_decisions", "names_in_use", "not_in_use", "not_listed"]

Connection = psycopg.Connection[Any]


def binding_decisions(connection: Connection, event_type: str) -> list[Decision]:
    """What was decided about an event type; none where the review has not begun.

    Raises SchemaNotActive where it has, and nobody has decided about this event type.
    """
    found = decisions(connection, event_type)
    if not found and has_begun(connection):
        raise SchemaNotActive(undecided(event_type))
    return found


def names_in_use(connection: Connection) -> frozenset[str]:
    """Event types of which a version is active or deprecated."""
    query = "select distinct event_type from outbox.schema_versions where state = any(%s)"
    return frozenset(name for (name,) in connection.execute(query, (sorted(PUBLISHABLE),)))


def not_listed(names: Iterable[str], catalog: Catalog) -> str:
    """What is wrong with event types that are in use and that the catalog lacks."""
    return (
        f"{', '.join(names)} is in use, and the catalog {catalog.folder} lacks it, so its events "
        "and those of its other major versions wait. Release the schemas folder that has it here, "
        "or retire it: relay schemas retire"
    )


def not_in_use(connection: Connection, catalog: Catalog) -> list[str]:
    """A sentence for each version that the catalog lists as active or deprecated, and whose events
    are refused or wait all the same, with what to do; and one for event types that are in use and
    that it lacks. None before the review has begun.

    Docs, defaults and aliases of a file may differ from those that were approved."""
    if not has_begun(connection):
        return []
    asked = {"event_types": orjson.dumps(list(catalog.event_types)).decode()}
    rows = connection.execute(states_query(), asked).fetchall()
    known = {
        (name, number): (State(state), bytes(logical_digest))
        for name, number, state, _, logical_digest in rows
    }
    decided = {name for name, _ in known}
    problems = []
    for event_type in catalog.event_types.values():
        listed = [v for v in event_type.versions.values() if v.state in PUBLISHABLE]
        if listed and event_type.name not in decided:
            problems.append(undecided(event_type.name))
            continue
        for version in listed:
            state, approved = known.get((event_type.name, version.version), (None, None))
            if state not in PUBLISHABLE:
                problems.append(
                    f"{event_type.name} version {version.version} is {version.state} in its domain "
                    f"file and {state or 'not known'} to the database. {advice(state)}"
                )
            elif approved != version.logical_digest:
                problems.append(
                    f"{event_type.name} version {version.version} has another schema in its file "
                    "than the one that was approved, so events of classes generated from it are "
                    "refused. Check out the approved text, or propose a new version"
                )
    if missing := sorted(names_in_use(connection) - catalog.event_types.keys()):
        problems.append(not_listed(missing, catalog))
    return problems
