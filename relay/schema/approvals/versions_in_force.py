"""Answers which versions of an event type are in force, and what each may be used for.

Once any decision is in the database (the review has begun), the decisions count; before that, the
catalog's files do. All parts of the relay use this: the bus when a row was refused, the worker
before it publishes a row, `relay schemas register`, `relay migrate` and `relay doctor`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
import psycopg

from relay.errors import SchemaNotActive
from relay.postgres.sqlfile import load
from relay.schema.approvals.store import KnownVersion, decisions, has_begun
from relay.schema.approvals.transitions import advice
from relay.schema.catalog import Catalog, EventType, SchemaVersion, State

__all__ = [
    "NotApproved",
    "VersionsInForce",
    "check_written",
    "find_problems",
    "missing_from_catalog",
    "names_in_use",
    "states_query",
    "versions_in_force",
]

Connection = psycopg.Connection[Any]

_REMEDY = (
    "Generate the classes from the approved text (relay schemas generate), or propose a new version"
)


class NotApproved(SchemaNotActive):
    """A version may not be used in this way. The message gives the reason and what to do."""


@dataclass(frozen=True, slots=True)
class VersionsInForce:
    """The versions of one event type, by number.

    reviewed: they come from the decisions in the database; otherwise from the catalog's files.
    """

    event_type: str
    versions: Sequence[KnownVersion]
    reviewed: bool = True

    @property
    def active(self) -> KnownVersion | None:
        """The version for rows that name none: the newest where several subjects have one."""
        return self._newest(State.ACTIVE)

    @property
    def for_copies(self) -> KnownVersion | None:
        """The version that copies are written under: the active one, else the newest deprecated."""
        return self.active or self._newest(State.DEPRECATED)

    def number(self, number: int) -> KnownVersion | None:
        """The version with this number."""
        return next((each for each in self.versions if each.version == number), None)

    def of_row(self, number: int | None, fingerprint: bytes | None) -> KnownVersion | None:
        """The version that a row was or is to be encoded with.

        number: the row's version, None for the active one. fingerprint: of the schema of the row's
        bytes, None where it has a payload instead. It goes before the number, since the publisher's
        version 3 need not be the version 3 that was decided about.
        """
        if fingerprint is None:
            return self.active if number is None else self.number(number)
        same = [each for each in self.versions if each.fingerprint == fingerprint]
        # Versions that differ only by docs or logical types share one; then the number decides.
        return min(same, key=lambda v: (v.version != number, not v.has_been_in_use), default=None)

    def to_publish(self, number: int | None, fingerprint: bytes | None) -> KnownVersion:
        """The version of a row (see `of_row`) that the relay may publish.

        A row whose version has been retired was written while that was in use and still goes out.
        Raises NotApproved.
        """
        found = self.of_row(number, fingerprint)
        if found is not None and found.has_been_in_use:
            return found
        if not self.versions:
            raise NotApproved(_undecided(self.event_type))
        if found is not None and found.withdrawn:
            raise NotApproved(
                f"{found.name} was withdrawn before it was in use, so events that were written "
                "under it are not published. Publish them again under a version in use"
            )
        if found is None and fingerprint is not None:
            raise NotApproved(
                f"a row of {self.event_type} version {number} was encoded with a schema that "
                f"nobody has decided about, its fingerprint is {fingerprint.hex()}. Publish the "
                "event again under a version in use, or propose a version with that schema: relay "
                "schemas propose"
            )
        if found is None and number is None:
            raise NotApproved(
                f"event type {self.event_type!r} has no active schema version. "
                "Activate one: relay schemas activate"
            )
        raise self._refusal(found, number, "published")

    def check_writable(self, number: int, fingerprint: bytes, logical_digest: bytes) -> None:
        """Raises NotApproved unless services may write events with this schema."""
        if not self.versions:
            raise NotApproved(_undecided(self.event_type))
        found = self.number(number)
        if found is None or not found.state.is_publishable:
            in_use = [str(each.version) for each in self.versions if each.state.is_publishable]
            instead = f"in use: {', '.join(in_use)}" if in_use else "no version of it is in use"
            raise NotApproved(f"{self._refusal(found, number, 'published')}; {instead}")
        if found.fingerprint != fingerprint:
            raise NotApproved(
                f"{found.name} is another schema here than the one that was approved: its "
                f"fingerprint is {fingerprint.hex()}, that of the approved one is "
                f"{found.fingerprint.hex()}. {_REMEDY}"
            )
        if found.logical_digest != logical_digest:
            raise NotApproved(
                f"{found.name} has another logical type here than in the schema that was approved, "
                "such as a decimal's scale, so readers would get other values; relay schemas check "
                f"names it. {_REMEDY}"
            )

    def to_register(self, version: SchemaVersion) -> SchemaVersion:
        """`version` with the text that was approved; raises NotApproved.

        A file may differ from the approved text in what no fingerprint shows: docs, defaults,
        logical types. The approved text is then registered.
        """
        if not self.reviewed:
            return version
        found = self.number(version.version)
        if found is not None and found.state is State.RETIRED:
            raise NotApproved(
                f"{found.name} is retired in the database, so it is not registered. List it as "
                "retired in its domain file"
            )
        if found is None or not found.state.can_register:
            raise self._refusal(found, version.version, "registered")
        if found.fingerprint != version.fingerprint:
            raise NotApproved(
                f"the file of {found.name} has another schema than the one that was approved. "
                "Check out the approved text, or propose a new version"
            )
        return replace(version, text=found.text, avsc=found.avsc)

    def _newest(self, state: State) -> KnownVersion | None:
        return next((each for each in reversed(self.versions) if each.state is state), None)

    def _refusal(self, found: KnownVersion | None, number: int | None, use: str) -> NotApproved:
        name = f"{self.event_type} version {number if found is None else found.version}"
        if found is None:
            why = f"{name} is not known to the database, so nobody has approved it"
            return NotApproved(f"{why}. {advice(None)}")
        why = f"{name} is {found.state} in the database, so it is not {use}"
        return NotApproved(f"{why}. {advice(found.state)}")


def versions_in_force(connection: Connection, listed: EventType) -> VersionsInForce:
    """Reads the versions of one event type. listed: as the catalog has it."""
    decided = decisions(connection, listed.name)
    if decided or has_begun(connection):
        return VersionsInForce(listed.name, decided)
    return in_catalog(listed)


def in_catalog(event_type: EventType) -> VersionsInForce:
    """Returns the versions of an event type by the catalog's files only, as before the review."""
    versions = [
        KnownVersion(
            version.event_type,
            version.version,
            version.subject,
            version.fingerprint,
            version.logical_digest,
            version.state,
            version.text,
        )
        for version in event_type.versions.values()
    ]
    return VersionsInForce(event_type.name, versions, reviewed=False)


def states_query() -> bytes:
    """The statement that reads the states of event types, a JSON array `event_types`; it reads only
    columns that writers of the outbox may read."""
    return load(__package__, "read_states.sql")


def check_written(rows: Sequence[Mapping[str, Any]], states: Sequence[Sequence[Any]]) -> None:
    """Raises NotApproved for the first of `rows` that kept all of them from being written.

    rows: with event_type, schema_version, fingerprint and logical_digest. states: the answer to
    `states_query` for their event types.
    """
    known = _by_event_type(states)
    for row in rows:
        in_force = known.get(row["event_type"]) or VersionsInForce(row["event_type"], ())
        in_force.check_writable(row["schema_version"], row["fingerprint"], row["logical_digest"])
    kinds = sorted({(row["event_type"], row["schema_version"]) for row in rows})
    named = ", ".join(f"{event_type} version {version}" for event_type, version in kinds)
    raise NotApproved(f"{named} came into use only after the events were refused. Publish again")


def names_in_use(connection: Connection) -> frozenset[str]:
    """Event types of which a version is active or deprecated."""
    query = "select distinct event_type from outbox.schema_versions where state = any(%s)"
    states = [state.value for state in State if state.is_publishable]
    return frozenset(name for (name,) in connection.execute(query, (states,)))


def missing_from_catalog(names: Sequence[str], catalog: Catalog) -> str:
    """The message about event types that are in use and that the catalog lacks."""
    return (
        f"{', '.join(names)} is in use, and the catalog {catalog.folder} lacks it, so its events "
        "and those of its other major versions wait. Release the schemas folder that has it here, "
        "or retire it: relay schemas retire"
    )


def find_problems(connection: Connection, catalog: Catalog) -> list[str]:
    """Lists versions that the catalog has as active or deprecated and that events may not be
    written under, event types in use that the catalog lacks, and those that it has with another
    aggregate; empty before the review begins."""
    if not has_begun(connection):
        return []
    wanted = {"event_types": orjson.dumps(list(catalog.event_types)).decode()}
    known = _by_event_type(connection.execute(states_query(), wanted).fetchall())
    problems = []
    for version in catalog.versions():
        if not version.state.is_publishable:
            continue
        in_force = known.get(version.event_type) or VersionsInForce(version.event_type, ())
        try:
            in_force.check_writable(version.version, version.fingerprint, version.logical_digest)
        except NotApproved as error:
            problems.append(str(error))
    if missing := sorted(names_in_use(connection) - catalog.event_types.keys()):
        problems.append(missing_from_catalog(missing, catalog))
    problems += _other_aggregates(connection, catalog)
    # Versions of an event type that nobody has decided about share one message.
    return list(dict.fromkeys(problems))


def _other_aggregates(connection: Connection, catalog: Catalog) -> list[str]:
    query = (
        "select event_type, aggregate_type from outbox.schema_versions "
        "where state = 'active' order by event_type"
    )
    return [
        f"events of type {name} belong to aggregate type {catalog.event_types[name].aggregate} in "
        f"the catalog and {decided} in the database, so outbox.publish refuses the catalog's, and "
        "events under the two names have no order. Put it back, or propose a new version"
        for name, decided in connection.execute(query)
        if name in catalog.event_types and catalog.event_types[name].aggregate != decided
    ]


def _by_event_type(states: Sequence[Sequence[Any]]) -> dict[str, VersionsInForce]:
    versions = [KnownVersion(*row) for row in states]
    return {
        name: VersionsInForce(name, [each for each in versions if each.event_type == name])
        for name in {each.event_type for each in versions}
    }


def _undecided(event_type: str) -> str:
    return (
        f"nobody has decided about event type {event_type!r}, so its events are not published. "
        "Propose a version: relay schemas propose. Where it was in use before it came here, adopt "
        "it: relay schemas adopt"
    )
