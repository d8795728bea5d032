"""Finds out which groups read which version: by the catalog, what they decoded, and their lag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson
import psycopg
from psycopg.rows import class_row

from relay.postgres.sqlfile import load

__all__ = [
    "Decoded",
    "GroupReading",
    "Text",
    "affected",
    "count_undelivered",
    "decoded",
    "schema_digest",
    "still_read",
]


@dataclass(frozen=True, slots=True)
class Decoded:
    """A schema that a group has decoded. digest: schema_digest of it. Times are aware."""

    group_name: str
    schema_id: int
    fingerprint: bytes
    digest: bytes
    last_decoded_at: datetime


@dataclass(frozen=True, slots=True)
class Text:
    """What identifies the schema of a version of the event type."""

    version: int
    fingerprint: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class GroupReading:
    """One group and one version that it has decoded.

    listed: the catalog has the group for this event type. version: None where the group has
    decoded nothing yet, or a schema of no known version; schema_id is the registry's.
    lag: unread records of the topic; None where it is unknown.
    """

    group: str
    listed: bool
    version: int | None
    schema_id: int | None
    last_decoded_at: datetime | None
    lag: int | None

    def to_json(self) -> dict[str, Any]:
        """As the commands print it."""
        return {
            "group": self.group,
            "listed": self.listed,
            "version": self.version,
            "schemaId": self.schema_id,
            "lastDecodedAt": self.last_decoded_at.isoformat() if self.last_decoded_at else None,
            "lag": self.lag,
        }


def schema_digest(schema: Any) -> bytes:
    """SHA-256 of a schema's JSON with sorted keys, 32 bytes.

    Unlike a fingerprint it covers docs, defaults and logical types; unlike a digest of the text it
    does not depend on how a registry writes the JSON.
    """
    return sha256(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)).digest()


def decoded(connection: psycopg.Connection[Any], event_type: str) -> list[Decoded]:
    """Reads what all groups have decoded of an event type; up to some seconds old."""
    with connection.cursor(row_factory=class_row(Decoded)) as cursor:
        query = load(__package__, "read_decoded.sql")
        return cursor.execute(query, {"event_type": event_type}).fetchall()


def count_undelivered(connection: psycopg.Connection[Any], event_type: str, version: int) -> int:
    """Counts events that were written under a version and are not published, including held and
    dead ones; while no version is active, also those that name none.

    Scans the outbox: takes seconds where it holds many millions of rows.
    """
    parameters = {"event_type": event_type, "version": version}
    row = connection.execute(load(__package__, "count_undelivered.sql"), parameters).fetchone()
    assert row is not None
    return int(row[0])


def affected(
    groups: Iterable[str],
    texts: Sequence[Text],
    records: Sequence[Decoded],
    lags: Mapping[str, int] | None,
) -> list[GroupReading]:
    """Lists every group that is in the catalog or has decoded something, with each version.

    groups: the catalog's for the event type. texts: its versions. lags: by group, None where
    unknown. Ordered by group and version.
    """
    listed = set(groups)
    lag_of = lags or {}
    found: dict[tuple[str, int | None, int | None], GroupReading] = {}
    # The latest of several records for one key stays.
    for record in sorted(records, key=lambda record: record.last_decoded_at):
        group = record.group_name
        for version in _versions(record, texts) or [None]:
            found[group, version, record.schema_id if version is None else None] = GroupReading(
                group,
                group in listed,
                version,
                record.schema_id,
                record.last_decoded_at,
                lag_of.get(group),
            )
    for group in listed - {record.group_name for record in records}:
        found[group, None, None] = GroupReading(group, True, None, None, None, lag_of.get(group))
    return sorted(found.values(), key=lambda r: (r.group, r.version or 0, r.schema_id or 0))


def still_read(
    readings: Iterable[GroupReading], version: int, now: datetime, quiet: timedelta
) -> list[str]:
    """Lists why a version can't be retired, one line for each group that still needs it.

    A group with unread records may find the version among them, unless the group is gone: the
    catalog does not list it, and it has decoded no version within `quiet`. quiet: how long the
    version must not have been decoded.
    """
    readings = list(readings)
    present = {r.group for r in readings if r.listed or _lately(r, now, quiet)}
    problems: dict[str, list[str]] = {}
    for reading in readings:
        reasons = problems.setdefault(reading.group, [])
        if reading.lag and not reasons and reading.group in present:
            reasons.append(f"has {reading.lag} records to read")
        when = reading.last_decoded_at
        if reading.version == version and when is not None and _lately(reading, now, quiet):
            reasons.append(f"decoded version {version} at {when.isoformat(timespec='seconds')}")
    return [f"{group} {' and '.join(reasons)}" for group, reasons in problems.items() if reasons]


def _lately(reading: GroupReading, now: datetime, quiet: timedelta) -> bool:
    return reading.last_decoded_at is not None and now - reading.last_decoded_at < quiet


def _versions(record: Decoded, texts: Sequence[Text]) -> list[int | None]:
    """Versions with the record's schema; by fingerprint where a registry changed the JSON, and
    then several may share it."""
    exact = [text.version for text in texts if text.digest == record.digest]
    return list(exact or [text.version for text in texts if text.fingerprint == record.fingerprint])
