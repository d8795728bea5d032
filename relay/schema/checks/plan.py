"""Finds the versions to check (new, changed, gone) and what each must be compatible with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from relay.schema.avro.fingerprint import canonical_form
from relay.schema.avro.nodes import Schema
from relay.schema.catalog import Catalog, EventType, SchemaVersion, State
from relay.schema.checks.base import Base, BaseType, Earlier, version_name
from relay.schema.checks.change import Kind
from relay.schema.checks.diff import diff
from relay.schema.compatibility.levels import Level

__all__ = ["Status", "Task", "plan"]

# Readers ignore these, and bytes don't depend on them.
WORDS = frozenset({Kind.DOC_CHANGED, Kind.PROPERTY_CHANGED})


class Status(StrEnum):
    """How a version differs from the base.

    new: also one that was only proposed or approved in the base and has changed. changed: in
    place, in what readers and writers depend on. reworded: in place, only in docs or properties.
    demoted: listed as proposed or approved again, after which it could change unnoticed; it and
    deleted are only for versions that had been activated.
    """

    NEW = "new"
    CHANGED = "changed"
    REWORDED = "reworded"
    DEMOTED = "demoted"
    DELETED = "deleted"


@dataclass(frozen=True)
class Task:
    """A version to check.

    schema: as it is now, None where it is deleted; before: as it was in the base, None where it
    is new; earlier: versions that it must be compatible with by `level`, oldest first; groups:
    those that the domain file lists.
    """

    event_type: str
    name: str
    status: Status
    level: str
    schema: Schema | None
    before: Earlier | None
    earlier: tuple[Earlier, ...]
    groups: tuple[str, ...]


def plan(catalog: Catalog, base: Base, event_types: Iterable[str]) -> list[Task]:
    """Lists what to check of some event types, in their order and in that of their versions.

    A version that has not changed is left out. One of a registry's that the catalog does not have
    counts as deleted: its file was changed or removed. A level that is transitive compares
    with every earlier version, any other with the latest of them.
    Raises CatalogInvalid when a schema of the base is not an Avro schema.
    """
    tasks: list[Task] = []
    for name in event_types:
        was = base.event_types.get(name, BaseType(()))
        now = catalog.event_types.get(name)
        if now is not None:
            level = catalog.domains[now.domain].compatibility
            tasks += _tasks(level, base.numbered, now, was)
            gone = _gone(now, was, base.numbered)
            was = BaseType(tuple(gone), level, now.groups)
        tasks += _deleted(name, was)
    return tasks


def _tasks(level: str, numbered: bool, now: EventType, was: BaseType) -> Iterator[Task]:
    versions = list(now.versions.values())
    former = _by_number(versions, was) if numbered else _by_content(versions, was)
    known = list(was.versions)
    for version in versions:
        if not numbered and version.version not in former and version.state is State.RETIRED:
            continue  # it was never registered and never will be
        name, before = version_name(now.name, version.version), former.get(version.version)
        status = _status(before, version, numbered)
        if status is None:
            continue
        earlier: list[Earlier] = []
        if status in {Status.NEW, Status.CHANGED}:
            earlier = [one for one in known if not numbered or one.number < version.version]
        if status is Status.NEW:
            before = None
            known = [one for one in known if one.name != name]
            known.append(Earlier(name, version.version, version.avsc))
        if numbered:
            earlier.sort(key=lambda one: one.number)
        if not Level(level).transitive:
            earlier = earlier[-1:]
        schema, groups = version.avsc, now.groups
        yield Task(now.name, name, status, level, schema, before, tuple(earlier), groups)


def _deleted(event_type: str, was: BaseType) -> Iterator[Task]:
    level = was.level or Level.NONE
    for one in was.versions:
        if one.settled:
            yield Task(event_type, one.name, Status.DELETED, level, None, one, (), was.groups)


def _status(before: Earlier | None, now: SchemaVersion, numbered: bool) -> Status | None:
    if before is None:
        return Status.NEW
    status = _change(before.schema, now)
    if status is Status.CHANGED:
        return Status.CHANGED if before.settled else Status.NEW
    demoted = numbered and before.settled and not now.state.has_been_in_use
    return Status.DEMOTED if demoted else status


def _by_number(versions: Iterable[SchemaVersion], was: BaseType) -> Mapping[int, Earlier]:
    before = {earlier.number: earlier for earlier in was.versions}
    return {v.version: before[v.version] for v in versions if v.version in before}


def _by_content(versions: Iterable[SchemaVersion], was: BaseType) -> Mapping[int, Earlier]:
    """Pairs equal schemas first, then schemas that differ only in their docs and properties."""
    pairs = {}
    for version in versions:
        same = (e for e in was.versions if _change(e.schema, version) is None)
        if (found := next(same, None)) is not None:
            pairs[version.version] = found
    # A version that adds nothing but docs is new, beside the one that it adds them to.
    taken = {earlier.number for earlier in pairs.values()}
    free = [earlier for earlier in reversed(was.versions) if earlier.number not in taken]
    for version in versions:
        alike = (e for e in free if _change(e.schema, version) is Status.REWORDED)
        if version.version not in pairs and (found := next(alike, None)) is not None:
            pairs[version.version] = found
    return pairs


def _gone(now: EventType, was: BaseType, numbered: bool) -> Iterator[Earlier]:
    for earlier in was.versions:
        if numbered:
            if earlier.number not in now.versions:
                yield earlier
        # A registry keeps the texts from before each change of words.
        elif all(_change(earlier.schema, v) is Status.CHANGED for v in now.versions.values()):
            yield earlier


def _change(before: Schema, now: SchemaVersion) -> Status | None:
    """How a version was changed in place; None where it was not."""
    if before == now.avsc:
        return None
    kinds = {change.kind for change in diff(before, now.avsc)}
    if kinds - WORDS or canonical_form(before) != canonical_form(now.avsc):
        return Status.CHANGED
    # A registry formats the same schema in its own way.
    return Status.REWORDED if kinds else None
