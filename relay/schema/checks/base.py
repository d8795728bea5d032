"""The versions that a working tree is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from relay.schema.avro.nodes import Schema
from relay.schema.catalog import Catalog, EventType
from relay.schema.client.client import RegistryClient

__all__ = [
    "Base",
    "BaseType",
    "Earlier",
    "base_of_catalog",
    "base_of_registry",
    "version_name",
]


@dataclass(frozen=True)
class Earlier:
    """A version to compare with. name: for reviewers; number: its place in order.

    settled: events may have been written under it. Before that it may still change.
    """

    name: str
    number: int
    schema: Schema
    settled: bool = True


@dataclass(frozen=True)
class BaseType:
    """An event type in the base. versions: oldest first. groups: those that the base lists.

    level: of compatibility, None where the base has none.
    """

    versions: tuple[Earlier, ...]
    level: str | None = None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Base:
    """Event types by name. name: of the base itself.

    numbered: its numbers are the catalog's. A registry numbers versions itself, so they are
    matched by content.
    """

    name: str
    event_types: Mapping[str, BaseType]
    numbered: bool = True


def version_name(event_type: str, number: int) -> str:
    """order.paid@2, as on the command line."""
    return f"{event_type}@{number}"


def base_of_catalog(catalog: Catalog, name: str) -> Base:
    """A whole catalog as a base."""
    found = {
        event_type.name: BaseType(
            tuple(_versions(event_type)),
            catalog.domains[event_type.domain].compatibility,
            event_type.groups,
        )
        for event_type in catalog.event_types.values()
    }
    return Base(name, found)


def _versions(event_type: EventType) -> Iterable[Earlier]:
    for number, version in event_type.versions.items():
        settled = version.state.has_been_in_use
        yield Earlier(version_name(event_type.name, number), number, version.avsc, settled)


def base_of_registry(
    registry: RegistryClient, catalog: Catalog, event_types: Iterable[str]
) -> Base:
    """The versions that the registry has of some event types of the catalog.

    Raises RegistryUnavailable, RegistryRefused.
    """
    found = {}
    for name in event_types:
        versions = list(catalog.event_type(name).versions.values())
        if versions:
            # All versions of an event type have one subject.
            subject = versions[0].subject
            there = registry.versions(subject)
            level = registry.compatibility(subject) if there else None
            earlier = (Earlier(f"{subject} version {n}", n, schema) for n, schema in there)
            found[name] = BaseType(tuple(earlier), level)
    return Base("the registry", found, numbered=False)
