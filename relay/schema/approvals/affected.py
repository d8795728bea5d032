"""Who reads which version: the catalog's groups, what they decoded last, and how far they are."""

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
    "Reading",
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
    """A version of the event type, as far as records are matched to it."""

    version: int
    fingerprint: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """One group and one version that it has decoded.

    listed: the catalog has the group for this event type. version: None where the group has
    decoded nothing yet, or a schema that is none of the versions; schema_id is the registry's.
    lag: records of the topic that it has still to read; None where it could not be found out.
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

    Unlike a fingerprint it tells docs, defaults and logical types apart, and unlike a digest of
    the text it is the same for a registry that writes the JSON in another way.
    """
    return sha256(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)).digest()


def decoded(connection: psycopg.Connection[Any], event_type: str) -> list[Decoded]:
    """What all groups have decoded of an event type; exact to some seconds."""
    with connection.cursor(row_factory=class_row(Decoded)) as cursor:
        query = load(__package__, "read_decoded.sql")
        return cursor.execute(query, {"event_type": event_type}).fetchall()


def count_undelivered(connection: psycopg.Connection[Any], event_type: str, version: int) -> int:
    """Events that were written under a version and are not published, held and dead ones too; while
    no version is active, those that name none as well.

    Looks through the rows of the outbox: seconds where it holds many millions.
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
) -> list[Reading]:
    """Every group that the catalog lists or that has decoded something, with each version.

    groups: the catalog's for the event type. texts: its versions. lags: by group, None where
    unknown. Ordered by group and version.
    """
    listed = set(groups)
    found: dict[tuple[str, int | None, int | None], Reading] = {}
    for record in records:
        for version in _versions(record, texts) or [None]:
            key = (record.group_name, version, record.schema_id if version is None else None)
            before = found.get(key)
            if before is None or _later(record, before):
                found[key] = Reading(
                    record.group_name,
                    record.group_name in listed,
                    version,
                    record.schema_id,
                    record.last_decoded_at,
                    _lag(lags, record.group_name),
                )
    for group in listed - {record.group_name for record in records}:
        found[group, None, None] = Reading(group, True, None, None, None, _lag(lags, group))
    return sorted(found.values(), key=lambda r: (r.group, r.version or 0, r.schema_id or 0))


def still_read(
    readings: Iterable[Reading], version: int, now: datetime, quiet: timedelta
) -> list[str]:
    """Why a version can't be retired, one line a group; empty where nobody needs it any more.

    A group that has records to read may find the version among them, unless it has gone: the
    catalog does not list it, and it has decoded no version within `quiet`. quiet: how long the
    version must not have been decoded.
    """
    readings = list(readings)
    there = {r.group for r in readings if r.listed or _lately(r, now, quiet)}
    problems: dict[str, list[str]] = {}
    for reading in readings:
        reasons = problems.setdefault(reading.group, [])
        if reading.lag and not reasons and reading.group in there:
            reasons.append(f"has {reading.lag} records to read")
        when = reading.last_decoded_at
        if reading.version == version and when is not None and _lately(reading, now, quiet):
            reasons.append(f"decoded version {version} at {when.isoformat(timespec='seconds')}")
    return [f"{group} {' and '.join(reasons)}" for group, reasons in problems.items() if reasons]


def _lately(reading: Reading, now: datetime, quiet: timedelta) -> bool:
    return reading.last_decoded_at is not None and now - reading.last_decoded_at < quiet


def _versions(record: Decoded, texts: Sequence[Text]) -> list[int | None]:
    """The versions that a record's schema is; by its fingerprint where a registry changed the
    JSON, and then several may share one."""
    exact = [text.version for text in texts if text.digest == record.digest]
    return list(exact or [text.version for text in texts if text.fingerprint == record.fingerprint])


def _later(record: Decoded, reading: Reading) -> bool:
    return reading.last_decoded_at is None or record.last_decoded_at > reading.last_decoded_at


def _lag(lags: Mapping[str, int] | None, group: str) -> int | None:
    return None if lags is None else lags.get(group)
