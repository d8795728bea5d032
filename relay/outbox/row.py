"""Turns an event into a row of the outbox: validates, encodes, fills in metadata."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypedDict

import orjson

from relay.errors import CatalogInvalid, PayloadInvalid
from relay.events import METADATA_KEYS, DomainEvent, checked
from relay.outbox.context import current_context
from relay.outbox.ids import new_id
from relay.schema.avro.fingerprint import logical_digest, rabin
from relay.tracing import current_trace

__all__ = ["NewRow", "row_of"]

# Two of these and a number must fit into one btree index entry (2,704 bytes).
LONGEST_NAME: Final = 1024


class NewRow(TypedDict):
    """Columns of outbox.domain_events by name; payload and metadata are JSON strings.

    logical_digest: not a column; compared with that of the version in use.
    """

    id: str
    event_type: str
    schema_version: int
    aggregate_type: str
    aggregate_id: str
    payload: str
    metadata: str
    occurred_at: datetime
    fingerprint: bytes
    logical_digest: bytes
    avro: bytes


def row_of(event: DomainEvent) -> NewRow:
    """Returns the row for `event`, with a new id.

    Raises PayloadInvalid if the event does not fit its schema or PostgreSQL can't store it;
    CatalogInvalid if its class does not belong to its schema; TypeError if it is not an event.
    """
    if not isinstance(event, DomainEvent):
        raise TypeError(
            f"{type(event).__qualname__} is not a DomainEvent: publish an instance of a class "
            "generated from the catalog"
        )
    kind = type(event)
    # mypy checks the __hash__ of instances, not of the class.
    fingerprint, logical = _digests(kind)  # type: ignore[arg-type]
    payload = checked(event)
    event_id = new_id()
    return {
        "id": event_id,
        "event_type": kind.EVENT_TYPE,
        "schema_version": kind.SCHEMA_VERSION,
        "aggregate_type": kind.AGGREGATE_TYPE,
        "aggregate_id": _aggregate_id(event.aggregate_id),
        "avro": payload.avro,
        "payload": _json(payload.json, "$"),
        "metadata": _json(_metadata(event, event_id), "$metadata"),
        "occurred_at": _occurred_at(event.occurred_at),
        "fingerprint": fingerprint,
        "logical_digest": logical,
    }


@lru_cache(maxsize=4096)
def _digests(kind: type[DomainEvent]) -> tuple[bytes, bytes]:
    fingerprint = rabin(kind.SCHEMA)
    if fingerprint != kind.FINGERPRINT:
        raise CatalogInvalid(
            f"{kind.__module__}.{kind.__qualname__} was generated from another schema than the "
            f"one it carries: its fingerprint is {kind.FINGERPRINT.hex()}, the schema's is "
            f"{fingerprint.hex()}. Run relay schemas generate"
        )
    return fingerprint, logical_digest(kind.SCHEMA)


def _aggregate_id(value: str) -> str:
    """Checks that PostgreSQL can store it as the key; `checked` has checked its type."""
    if not value:
        raise PayloadInvalid("$aggregateId", "is empty; it is the key for the order of events")
    if "\0" in value:
        raise PayloadInvalid("$aggregateId", "holds U+0000, which PostgreSQL can't store")
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise PayloadInvalid("$aggregateId", "holds half of a surrogate pair") from error
    if size > LONGEST_NAME:
        raise PayloadInvalid("$aggregateId", f"is {size} bytes long; {LONGEST_NAME} are the most")
    return value


def _occurred_at(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise PayloadInvalid(
            "$occurredAt", f"{value.isoformat()} lies outside the years 1 to 9999 in UTC"
        ) from error


def _metadata(event: DomainEvent, event_id: str) -> dict[str, str]:
    """Merges the event's own metadata, that of the context, and defaults.

    An event without a cause starts a correlation: its correlationId is its id.
    """
    own = event.metadata
    context = current_context()
    found = {name: getattr(own, attribute, None) for name, attribute in METADATA_KEYS.items()}
    if found["traceparent"] is None:
        # tracestate belongs to its traceparent, so both come from one source.
        found.update({"tracestate": None, **current_trace()})
    found["actorId"] = found["actorId"] or context.actor_id
    found["causationId"] = found["causationId"] or context.causation_id
    found["correlationId"] = found["correlationId"] or context.correlation_id or event_id
    kind = type(event)
    found["sourceModule"] = found["sourceModule"] or kind.SOURCE_MODULE or kind.__module__
    return {name: value for name, value in found.items() if value is not None}


def _json(value: Any, path: str) -> str:
    try:
        text = orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise PayloadInvalid(path, f"can't be written as JSON: {error}") from error
    # The six characters may also be an escaped backslash and u0000, so a hit is verified.
    if b"\\u0000" in text and (place := _nul(value, path)):
        raise PayloadInvalid(place, "holds U+0000, which PostgreSQL can't store in jsonb")
    return text.decode()


def _nul(value: Any, path: str) -> str | None:
    """Returns the path of the first string with U+0000 in it."""
    if isinstance(value, str):
        return path if "\0" in value else None
    if isinstance(value, dict):
        for key, item in value.items():
            if "\0" in key:
                return f"{path}.{key!r}"
            if place := _nul(item, f"{path}.{key}"):
                return place
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if place := _nul(item, f"{path}[{index}]"):
                return place
    return None
