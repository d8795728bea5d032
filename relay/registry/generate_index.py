"""Source of the schemas folder's `__init__.py`: all event types, all classes, and lookups."""

from __future__ import annotations

from relay.catalog import Catalog, State
from relay.catalog.entries import class_name
from relay.registry.generate_events import event_class_name, generated_versions, union_name
from relay.registry.generate_source import alias, exploded, exports, literal, snake

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
    """Source of `__init__.py` without its docstring."""
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
            members.append(f"    {snake(class_name(event_type.name)).upper()} = {label}")
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
            imports += exploded(
                f"from .{domain.name}.events import (", sorted(names, key=str.lower), ")"
            )
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
