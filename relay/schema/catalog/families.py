"""Major versions of an event: event types that replace one another, with a converter between them.

A breaking change is a new event type with a subject of its own, as CloudEvents 1.0 asks for
(primer, "Versioning of CloudEvents"): order.paid, order.paid.v2, order.paid.v3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from relay.errors import CatalogInvalid
from relay.schema.catalog.entries import EventType, base_of, major_of, snake_name

__all__ = ["check_majors", "converter_of", "family_of", "missing_of"]


def converter_of(domain_file: Path, event_type: str) -> Path:
    """Where the converter of a major version stands: beside its schemas, order_paid_v2.py."""
    return domain_file.parent / f"{snake_name(event_type)}.py"


def family_of(event_types: Mapping[str, EventType], name: str) -> list[EventType]:
    """All major versions of an event, the oldest first; alone where there is only one."""
    following = {e.replaces: e for e in event_types.values() if e.replaces is not None}
    first = event_types[name]
    while first.replaces is not None:
        first = event_types[first.replaces]
    family = [first]
    while (after := following.get(family[-1].name)) is not None:
        family.append(after)
    return family


def missing_of(event_types: Mapping[str, EventType], name: str, in_use: Iterable[str]) -> list[str]:
    """Major versions of an event, itself too, that are in use and that the catalog lacks."""
    missing = (other for other in in_use if other not in event_types)
    return sorted(other for other in missing if base_of(other) == base_of(name))


def check_majors(domain_file: Path, event_types: Mapping[str, EventType]) -> None:
    """Raises CatalogInvalid where one of a domain's event types can't replace what it says."""
    for event_type in event_types.values():
        if event_type.replaces is not None and (problem := _problem(event_type, event_types)):
            raise CatalogInvalid(f"{domain_file}: event {event_type.name!r} {problem}")


def _problem(event_type: EventType, event_types: Mapping[str, EventType]) -> str | None:
    former = event_types.get(str(event_type.replaces))
    if former is None:
        return (
            f"replaces {event_type.replaces!r}, which is no event of this domain. A major version "
            "stays in the topic of the one before it, so that the order is kept"
        )
    base = former.name if former.replaces is None else former.name.rpartition(".")[0]
    expected = f"{base}.v{major_of(former.name) + 1}"
    if event_type.name != expected:
        return f"replaces {former.name}, so it must be named {expected!r}"
    if event_type.aggregate != former.aggregate:
        return (
            f"has the aggregate {event_type.aggregate!r}, {former.name} has "
            f"{former.aggregate!r}. Keep it: events are ordered by it"
        )
    if event_type.converter is None or not event_type.converter.is_file():
        return (
            f"replaces {former.name}, but {event_type.converter} is missing. Write it with the "
            "functions up(payload) and down(payload)"
        )
    return None
