"""Entries of the catalog, immutable: domains, event types, schema versions and their states."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from relay.schema.avro.fingerprint import logical_digest, rabin

__all__ = [
    "Domain",
    "EventType",
    "SchemaVersion",
    "State",
    "base_of",
    "class_name",
    "major_of",
    "snake_name",
]

_MAJOR = re.compile(r"\.v([1-9]\d*)$")


class State(StrEnum):
    """State of a schema version, and what it permits.

    proposed -> approved -> active -> deprecated -> retired. Code uses these predicates
    instead of sets of states; `outbox.may_publish` in schema.sql is `is_publishable` in SQL.
    """

    PROPOSED = "proposed"
    APPROVED = "approved"
    ACTIVE = "active"
    DEPRECATED = "deprecated"
    RETIRED = "retired"

    @property
    def is_publishable(self) -> bool:
        """Services may write events: publishers of a deprecated version still have to move."""
        return self in (State.ACTIVE, State.DEPRECATED)

    @property
    def can_register(self) -> bool:
        """The schema belongs in the registry."""
        return self is State.APPROVED or self.is_publishable

    @property
    def has_been_in_use(self) -> bool:
        """Past its review: rows and records may have been written with the schema."""
        return self is State.RETIRED or self.is_publishable


@dataclass(frozen=True)
class SchemaVersion:
    """One version of an event type's schema.

    aggregate_type: the event type's aggregate. avsc: JSON of the schema; text: content of the file;
    record_name: full name of the record; subject: by TopicRecordNameStrategy,
    `<topic>-<record full name>`.
    """

    event_type: str
    aggregate_type: str
    version: int
    state: State
    avsc: dict[str, Any]
    text: str
    record_name: str
    subject: str
    path: Path

    @cached_property
    def fingerprint(self) -> bytes:
        """CRC-64-AVRO of the Parsing Canonical Form, 8 bytes, most significant first."""
        return rabin(self.avsc)

    @cached_property
    def logical_digest(self) -> bytes:
        """Of the form and the logical types, 32 bytes; see relay.schema.avro.fingerprint."""
        return logical_digest(self.avsc)


@dataclass(frozen=True)
class EventType:
    """An event type. groups: names of the consumer groups that read it, in the file's order.

    versions: by number, ascending. replaces: the event type of which this is the next major
    version: a breaking change, and so a new event type with a subject of its own, as CloudEvents
    1.0 recommends (primer, "Versioning of CloudEvents"), published beside the former one.
    converter: the file with the functions between the two; None where it replaces nothing.
    """

    name: str
    domain: str
    topic: str
    aggregate: str
    doc: str
    groups: tuple[str, ...]
    versions: dict[int, SchemaVersion]
    replaces: str | None = None
    converter: Path | None = None

    @property
    def active(self) -> SchemaVersion | None:
        """The version that is published now; None before the first one is activated."""
        return next((v for v in self.versions.values() if v.state is State.ACTIVE), None)

    @property
    def current(self) -> SchemaVersion | None:
        """The version to show and convert by: the active one, else the newest that was or will be
        published; None while all are proposals."""
        for state in (State.ACTIVE, State.DEPRECATED, State.RETIRED, State.APPROVED):
            if found := [v for v in self.versions.values() if v.state is state]:
                return found[-1]
        return None

    @property
    def major(self) -> int:
        """Number of the major version: 2 of order.paid.v2, 1 of order.paid."""
        return major_of(self.name)


@dataclass(frozen=True)
class Domain:
    """One folder of the catalog.

    topic: `events.<domain>`; partitions: of that topic when it is created; compatibility: level
    of the registry for each of the domain's subjects; source_module: the publishers' module.
    """

    name: str
    topic: str
    partitions: int
    owner: str
    compatibility: str
    source_module: str
    event_types: dict[str, EventType]


def class_name(event_type: str) -> str:
    """CamelCase of an event type: order.payment_failed -> OrderPaymentFailed."""
    words = event_type.replace(".", "_").replace("-", "_").split("_")
    return "".join(word[:1].upper() + word[1:] for word in words)


def snake_name(event_type: str) -> str:
    """Name of an event type as a Python module: order.paid.v2 -> order_paid_v2."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", event_type)
    return words.replace(".", "_").replace("-", "_").lower()


def major_of(event_type: str) -> int:
    """Number of an event type's major version, from its name: 2 of order.paid.v2, else 1."""
    found = _MAJOR.search(event_type)
    return int(found[1]) if found else 1


def base_of(event_type: str) -> str:
    """The name shared by all major versions of an event: order.paid of order.paid.v2."""
    return _MAJOR.sub("", event_type)
