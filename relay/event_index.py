"""Look-ups over the classes of a catalog, for the generated `__init__.py` of its folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from relay.errors import SchemaUnknown
from relay.events import DomainEvent

__all__ = ["active_versions", "by_version", "find_class", "members"]


def members(union: Any) -> tuple[type[DomainEvent], ...]:
    """The classes of a union; a class by itself is its own union."""
    return get_args(union) or (union,)


def by_version(*classes: type[DomainEvent]) -> dict[tuple[str, int], type[DomainEvent]]:
    """Event type and schema version -> class."""
    return {(kind.EVENT_TYPE, kind.SCHEMA_VERSION): kind for kind in classes}


def active_versions(*classes: type[DomainEvent]) -> dict[str, int]:
    """Event type -> schema version, of the classes whose versions are active."""
    return {kind.EVENT_TYPE: kind.SCHEMA_VERSION for kind in classes}


def find_class(
    classes: Mapping[tuple[str, int], type[DomainEvent]],
    active: Mapping[str, int],
    event_type: str,
    version: int | None,
) -> type[DomainEvent]:
    """The class of an event type, of its active version for None. Raises SchemaUnknown."""
    number = active.get(event_type, 0) if version is None else version
    try:
        return classes[event_type, number]
    except KeyError:
        raise SchemaUnknown(
            f"no class for event type {event_type!r}, version {version or 'active'}. "
            "Add its schema to the catalog, then: relay schemas generate"
        ) from None
