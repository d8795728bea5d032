"""Source of the schemas folder's `__init__.py`: all event types, all classes, and lookups."""

from __future__ import annotations

import keyword

from relay.errors import CatalogInvalid
from relay.schema.catalog import Catalog, EventType, State
from relay.schema.catalog.entries import class_name, snake_name
from relay.schema.codegen.event_classes import event_class_name, generated_versions, union_name
from relay.schema.codegen.source import alias, bracketed, exports, imported, literal

__all__ = ["index_module"]

LOOKUP = '''
def event_class(event_type: str, version: int | None = None) -> type[DomainEvent]:
    """The class of an event type, of its active version where none is given.

    Raises SchemaUnknown when no class was generated for it.
    """
    return find_class(EVENT_CLASSES, ACTIVE_VERSIONS, event_type, version)
'''


def index_module(catalog: Catalog) -> str:
    """Source of `__init__.py` without its docstring.

    Raises CatalogInvalid where a domain makes no Python package, or two names become one.
    """
    _importable(catalog)
    imports: list[str] = []
    unions: list[str] = []
    classes: list[str] = []
    others: list[str] = []
    members: list[str] = []
    for domain in catalog.domains.values():
        names: list[str] = []
        for event_type in domain.event_types.values():
            members.append(f"    {_member(event_type)} = {literal(event_type.name)}")
            for version in generated_versions(event_type):
                name = event_class_name(event_type, version)
                names.append(name)
                if version.state is not State.ACTIVE:
                    others.append(name)
        if any(event_type.active for event_type in domain.event_types.values()):
            unions.append(union_name(domain))
            names.append(union_name(domain))
        classes += names
        if names:
            imports += imported(f".{domain.name}.events", names)
    public = {*classes, "DomainEventCatalog", "event_class", "EVENT_CLASSES", "ACTIVE_VERSIONS"}
    if unions:
        public.add("CatalogEvent")
    active = "*members(CatalogEvent)" if unions else ""
    lines = [
        "",
        "from __future__ import annotations",
        "",
        "from enum import StrEnum",
        *(["from typing import TypeAlias"] if unions else []),
        "",
        "from relay.event_index import active_versions, by_version, find_class, members",
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
        *_classes(active, others),
        "# Event type -> the version that is published now.",
        f"ACTIVE_VERSIONS = active_versions({active})",
        "",
    ]
    return "\n".join(lines) + "\n" + LOOKUP


def _classes(active: str, others: list[str]) -> list[str]:
    return bracketed("EVENT_CLASSES = by_version(", [*([active] if active else []), *others], ")")


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
