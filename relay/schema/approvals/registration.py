"""Registers approved versions at a registry, and activates one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from relay.schema.approvals import store
from relay.schema.approvals.transitions import Action, transition
from relay.schema.approvals.versions_in_force import NotApproved
from relay.schema.catalog import Catalog, SchemaVersion, State
from relay.schema.client.client import RegistryClient, RegistryRefused

__all__ = ["Registration", "activate", "register_catalog", "register_version"]


@dataclass(frozen=True, slots=True)
class Registration:
    """What became of one version.

    schema_id: None when refused. new: the registry did not have it before. problem: why it was
    refused. replaced: the version that was deprecated, when this one was activated.
    """

    version: SchemaVersion
    schema_id: int | None
    new: bool = False
    problem: str | None = None
    replaced: int | None = None


def register_catalog(
    catalog: Catalog,
    registry: RegistryClient,
    approved: Callable[[SchemaVersion], SchemaVersion] = lambda version: version,
) -> Iterator[Registration]:
    """Registers every approved, active and deprecated version under its subject, oldest first.

    First the subject's compatibility level becomes the domain's, so that the reviewed level
    decides. Versions that the registry has already stay as they are. After the registry refused a
    version, later ones of its subject are not tried, since they would take its place.
    approved: returns a version as it is to be registered, or raises NotApproved, which ends no
    other's registration; by default the catalog decides. Raises RegistryUnavailable.
    """
    for domain in catalog.domains.values():
        for event_type in domain.event_types.values():
            refused: SchemaVersion | None = None
            for version in event_type.versions.values():
                if not version.state.can_register:
                    continue
                if refused is not None:
                    problem = f"not tried, since {refused.path.name} was refused"
                    yield Registration(version, None, problem=problem)
                    continue
                try:
                    wanted = approved(version)
                except NotApproved as error:
                    yield Registration(version, None, problem=str(error))
                    continue
                result = register_version(registry, wanted, domain.compatibility)
                if result.problem is not None:
                    refused = version
                yield result


def register_version(registry: RegistryClient, version: SchemaVersion, level: str) -> Registration:
    """Registers one version under its subject, whose compatibility level becomes `level`.

    Changes nothing where the registry has it. Raises RegistryUnavailable.
    """
    try:
        if registry.compatibility(version.subject) != level:
            registry.set_compatibility(version.subject, level)
        if (found := registry.lookup(version.subject, version.text)) is not None:
            return Registration(version, int(found["id"]))
        return Registration(version, registry.register(version.subject, version.text), new=True)
    except RegistryRefused as error:
        incompatible = error.code in (409, 40901)
        problem = f"incompatible under {level}: {error.problem}" if incompatible else str(error)
        return Registration(version, None, problem=problem)


def activate(
    connection: psycopg.Connection[Any],
    registry: RegistryClient,
    version: SchemaVersion,
    level: str,
    by: str,
    reason: str | None,
) -> Registration | None:
    """Makes `version` the one that is published: at the registry first, then in the database.

    In this order, because rows are written under the version from the decision on, and the relay
    needs its id. A version that is registered and then not activated does no harm.
    level: compatibility of its subject. Returns None when the version can't be activated or was
    changed meanwhile (see relay.schema.approvals.store.activate). Raises RegistryUnavailable.
    """
    known = store.decisions(connection, version.event_type)
    found = next((each for each in known if each.version == version.version), None)
    sources = transition(Action.ACTIVATE).sources
    if found is None or found.state not in sources or found.text != version.text:
        return None
    active = (v.version for v in known if v.state is State.ACTIVE and v.subject == found.subject)
    replaces = next(active, None)
    registration = register_version(registry, version, level)
    if registration.problem is not None:
        return registration
    if store.activate(connection, version, by, reason, replaces=replaces) is None:
        return None
    return replace(registration, replaced=replaces)
