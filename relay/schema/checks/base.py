"""What a working tree is compared with: the versions that were there before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from relay.schema.avro.nodes import Schema
from relay.schema.catalog import Catalog, State
from relay.schema.client.client import RegistryClient

__all__ = [
    "UNSETTLED",
    "Base",
    "BaseType",
    "Earlier",
    "base_of_catalog",
    "base_of_registry",
    "version_name",
]

# Nobody has written events under these yet.
UNSETTLED = frozenset({State.PROPOSED, State.APPROVED})


@dataclass(frozen=True)
class Earlier:
    """A version to compare with. name: what a reviewer calls it; number: its place in order.

    settled: events may be there that were written under it. Before that it may still change.
    """

    name: str
    number: int
    schema: Schema
    settled: bool = True


@dataclass(frozen=True)
class BaseType:
    """An event type in the base.

    versions: oldest first. level: of compatibility, None where the base says none. groups: those
    that the base lists.
    """

    versions: tuple[Earlier, ...]
    level: str | None = None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Base:
    """Event types by name. name: of the base itself.

    numbered: its numbers are the catalog's. A registry counts by itself, so that its versions are
    known only by their content.
    """

    name: str
    event_types: Mapping[str, BaseType]
    numbered: bool = True


def version_name(event_type: str, number: int) -> str:
    """order.paid@2, as the command line takes it."""
    return f"{event_type}@{number}"


def base_of_catalog(catalog: Catalog, name: str) -> Base:
    """A whole catalog as a base."""
    return Base(
        name,
        {
            event_type.name: BaseType(
                tuple(
                    Earlier(
                        version_name(event_type.name, number),
                        number,
                        version.avsc,
                        version.state not in UNSETTLED,
                    )
                    for number, version in sorted(event_type.versions.items())
                ),
                catalog.domains[event_type.domain].compatibility,
                event_type.groups,
            )
            for event_type in catalog.event_types.values()
        },
    )


def base_of_registry(
    registry: RegistryClient, catalog: Catalog, event_types: Iterable[str]
) -> Base:
    """What the registry has under the subjects of some event types of the catalog.

    Raises RegistryUnavailable, RegistryRefused.
    """
    found = {}
    for name in event_types:
        versions = catalog.event_type(name).versions.values()
        # All versions of an event type have one subject.
        subject = next((version.subject for version in versions), None)
        if subject is None:
            continue
        there = registry.versions(subject)
        found[name] = BaseType(
            tuple(Earlier(f"{subject} version {n}", n, schema) for n, schema in there),
            registry.compatibility(subject) if there else None,
        )
    return Base("the registry", found, numbered=False)
