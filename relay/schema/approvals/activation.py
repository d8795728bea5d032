"""Makes a version the one that is published: at the registry first, then in the database.

In that order, because from the decision on rows are written under the version and the relay
needs its id. A version that is registered and then not activated does no harm: nothing is
published under it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from relay.schema.approvals import store
from relay.schema.approvals.transitions import Action, transition
from relay.schema.catalog import SchemaVersion, State
from relay.schema.client.client import RegistryClient
from relay.schema.client.register import Registration, register_version

__all__ = ["Activated", "activate"]


@dataclass(frozen=True, slots=True)
class Activated:
    """registered: the registry did not have it before. replaced: the version it took over from."""

    schema_id: int
    registered: bool
    replaced: int | None


def activate(
    connection: psycopg.Connection[Any],
    registry: RegistryClient,
    version: SchemaVersion,
    level: str,
    by: str,
    reason: str | None,
) -> Activated | Registration | None:
    """Activates `version`, which is registered before where it is not there yet.

    level: compatibility of its subject. Answers the registry's Registration with its problem when
    that refuses the schema; None when the version can't be activated or was changed meanwhile
    (see relay.schema.approvals.store.activate). Raises RegistryUnavailable.
    """
    known = store.decisions(connection, version.event_type)
    found = next((each for each in known if each.version == version.version), None)
    if (
        found is None
        or found.state not in transition(Action.ACTIVATE).sources
        or found.text != version.text
    ):
        return None
    active = (
        each.version
        for each in known
        if each.state is State.ACTIVE and each.subject == found.subject
    )
    replaces = next(active, None)
    registration = register_version(registry, version, level)
    if registration.schema_id is None:
        return registration
    if store.activate(connection, version, by, reason, replaces=replaces) is None:
        return None
    return Activated(registration.schema_id, registration.new, replaces)
