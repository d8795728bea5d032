"""Source of the schemas folder's `__init__.py`: all event types, all classes, and lookups."""

from __future__ import annotations

import keyword

from relay.errors import CatalogInvalid
from relay.schema.catalog import Catalog, EventType, State
from relay.schema.catalog.entries import class_name, snake_name
from relay.schema.codegen.event_classes import event_class_name, generated_versions, union_name
from relay.schema.codegen.source import alias, exploded, exports, imported, literal

__all__ = ["index_module"]

LOOKUP = '''
def event_class(event_type: str, version: int | None = None) -> type[DomainEvent]:
    """The class of an event type, of its active version where none is given.

    Raises SchemaUnknown when no class was generated for it.
    """
    number = ACTIVE_VERSIONS.get(event_type, 0) if version is None else version
    try:
        return EVENT_CLASSES[event_type, number]
    except KeyError:
        raise SchemaUnknown(
            f"no class for event type {event_type!r}, version {version or 'active'}. "
            "Add its schema to the catalog, then: relay schemas generate"
        ) from None
'''


def index_module(catalog: Catalog) -> str:
    """Source of `__init__.py` without its docstring.

    Raises CatalogInvalid where a domain makes no Python package, or two names become one.
    """
    _importable(catalog)
    imports: list[str] = []
    unions: list[str] = []
    classes: list[str] = []
    entries: list[str] = []
    active: list[str] = []
    members: list[str] = []
    for domain in catalog.domains.values():
        names: list[str] = []
        for event_type in domain.event_types.values():
            label = literal(event_type.name)
            members.append(f"    {_member(event_type)} = {label}")
            for version in generated_versions(event_type):
                name = event_class_name(event_type, version)
                names.append(name)
                entries.append(f"({label}, {version.version}): {name}")
                if version.state is State.ACTIVE:
                    active.append(f"{label}: {version.version}")
        if any(event_type.active for event_type in domain.event_types.values()):
            unions.append(union_name(domain))
            names.append(union_name(domain))
        classes += names
        if names:
            imports += exploded(f"from .{domain.name}.events import (", imported(names), ")")
    public = {*classes, "DomainEventCatalog", "event_class", "EVENT_CLASSES", "ACTIVE_VERSIONS"}
    if unions:
        public.add("CatalogEvent")
    lines = [
        "",
        "from __future__ import annotations",
        "",
        "from enum import StrEnum",
        *(["from typing import TypeAlias"] if unions else []),
        "",
        "from relay.errors import SchemaUnknown",
        "from relay.events import DomainEvent",
        "",
        *imports,
        "",
        *exports(public),
        "",
        "",
        "class DomainEventCatalog(StrEnum):",
        '    """Every event type of the catalog."""',
        "",
        *members,
        "",
        "",
        *([*alias("CatalogEvent", unions), ""] if unions else []),
        "# Event type and schema version -> class.",
        *exploded("EVENT_CLASSES: dict[tuple[str, int], type[DomainEvent]] = {", entries, "}"),
        "",
        "# Event type -> the version that is published now.",
        *exploded("ACTIVE_VERSIONS: dict[str, int] = {", active, "}"),
        "",
    ]
    return "\n".join(lines) + "\n" + LOOKUP


def _importable(catalog: Catalog) -> None:
    owners: dict[str, str] = {}
    for domain in catalog.domains.values():
        if keyword.iskeyword(domain.name):
            raise CatalogInvalid(
                f"domain {domain.name}: Python can't import a package of that name, it is a "
                "keyword. Rename the domain"
            )
        if any(event_type.active for event_type in domain.event_types.values()):
            _claim(owners, union_name(domain), f"the domain {domain.name}")
        for event_type in domain.event_types.values():
            owner = f"the event type {event_type.name}"
            _claim(owners, f"DomainEventCatalog.{_member(event_type)}", owner)
            for version in generated_versions(event_type):
                _claim(owners, event_class_name(event_type, version), owner)


def _claim(owners: dict[str, str], name: str, owner: str) -> None:
    if (other := owners.setdefault(name, owner)) != owner:
        raise CatalogInvalid(f"{other} and {owner} both become {name}. Rename one of them")


def _member(event_type: EventType) -> str:
    return snake_name(class_name(event_type.name)).upper()
