"""What is to be checked: versions that are new, changed or gone, and what each has to go with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from relay.schema.avro.fingerprint import canonical_form
from relay.schema.avro.nodes import Schema
from relay.schema.catalog import Catalog, EventType, SchemaVersion, State
from relay.schema.checks.base import UNSETTLED, Base, BaseType, Earlier, version_name
from relay.schema.checks.change import Kind
from relay.schema.checks.diff import diff
from relay.schema.compatibility.levels import Level

__all__ = ["Status", "Task", "plan"]

# What readers ignore and bytes don't depend on.
WORDS = frozenset({Kind.DOC_CHANGED, Kind.PROPERTY_CHANGED})
NOTHING = BaseType(())


class Status(StrEnum):
    """What became of a version since the base.

    new: also one that was only proposed or approved in the base, and is another now. changed: in
    place, in what readers and writers go by. reworded: in place, in docs, properties or spacing
    alone. demoted: listed as proposed or approved again, after which it could change unseen.
    deleted: neither is said of one that nobody had activated.
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
    is new; earlier: what it has to go with by `level`, oldest first; groups: those that the
    domain file names.
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
    """What to check of some event types, in their order and in that of their versions.

    A version that is as it was is left alone. One of a registry's that the catalog does not have
    counts as deleted: its file was changed or removed. A level that is transitive compares
    with every earlier version, any other with the latest of them.
    Raises CatalogInvalid when a schema of the base is none.
    """
    tasks: list[Task] = []
    for name in event_types:
        was = base.event_types.get(name, NOTHING)
        now = catalog.event_types.get(name)
        tasks += _deleted(name, was) if now is None else _tasks(catalog, base, now, was)
    return tasks


def _tasks(catalog: Catalog, base: Base, now: EventType, was: BaseType) -> list[Task]:
    level = catalog.domains[now.domain].compatibility
    versions = [version for _, version in sorted(now.versions.items())]
    if base.numbered:
        pairs = _by_number(versions, was)
    else:
        pairs = _by_content(versions, was)
        # What is retired and was never registered never will be.
        versions = [v for v in versions if v.version in pairs or v.state is not State.RETIRED]
    known = list(was.versions)
    tasks = []
    for version in versions:
        name, before = version_name(now.name, version.version), pairs.get(version.version)
        status = Status.NEW if before is None else _status(before.schema, version)
        if base.numbered and _demoted(before, version) and status is not Status.CHANGED:
            status = Status.DEMOTED
        if status is None:
            continue
        if status is Status.CHANGED and before is not None and not before.settled:
            status, before = Status.NEW, None
        earlier: list[Earlier] = []
        if status not in {Status.REWORDED, Status.DEMOTED}:
            earlier = _earlier(known, version.version) if base.numbered else list(known)
        if status is Status.NEW:
            known = [one for one in known if one.name != name]
            known.append(Earlier(name, version.version, version.avsc))
        if not Level(level).transitive:
            earlier = earlier[-1:]
        tasks.append(
            Task(now.name, name, status, level, version.avsc, before, tuple(earlier), now.groups)
        )
    return tasks + _deleted(now.name, BaseType(_gone(versions, was, base), level, now.groups))


def _deleted(event_type: str, was: BaseType) -> list[Task]:
    return [
        Task(event_type, e.name, Status.DELETED, was.level or Level.NONE, None, e, (), was.groups)
        for e in was.versions
        if e.settled
    ]


def _demoted(before: Earlier | None, now: SchemaVersion) -> bool:
    return before is not None and before.settled and now.state in UNSETTLED


def _earlier(known: Iterable[Earlier], number: int) -> list[Earlier]:
    return sorted((e for e in known if e.number < number), key=lambda e: e.number)


def _by_number(versions: Iterable[SchemaVersion], was: BaseType) -> Mapping[int, Earlier]:
    before = {earlier.number: earlier for earlier in was.versions}
    return {v.version: before[v.version] for v in versions if v.version in before}


def _by_content(versions: Iterable[SchemaVersion], was: BaseType) -> Mapping[int, Earlier]:
    """Same schemas first; what is left, by schemas that are the same but for their words."""
    pairs = {}
    for version in versions:
        same = (e for e in was.versions if _status(e.schema, version) is None)
        if (found := next(same, None)) is not None:
            pairs[version.version] = found
    # A version that adds nothing but docs is new, beside the one that it adds them to.
    taken = {earlier.number for earlier in pairs.values()}
    free = [earlier for earlier in reversed(was.versions) if earlier.number not in taken]
    for version in versions:
        alike = (e for e in free if _status(e.schema, version) is Status.REWORDED)
        if version.version not in pairs and (found := next(alike, None)) is not None:
            pairs[version.version] = found
    return pairs


def _gone(versions: Iterable[SchemaVersion], was: BaseType, base: Base) -> tuple[Earlier, ...]:
    if base.numbered:
        numbers = {version.version for version in versions}
        return tuple(earlier for earlier in was.versions if earlier.number not in numbers)
    # A registry keeps the texts from before each change of words.
    return tuple(
        earlier
        for earlier in was.versions
        if all(_status(earlier.schema, version) is Status.CHANGED for version in versions)
    )


def _status(before: Schema, now: SchemaVersion) -> Status | None:
    """None where nothing has changed."""
    if before == now.avsc:
        return None
    kinds = {change.kind for change in diff(before, now.avsc)}
    if kinds - WORDS or canonical_form(before) != canonical_form(now.avsc):
        return Status.CHANGED
    # A registry writes the same schema in its own way.
    return Status.REWORDED if kinds else None
