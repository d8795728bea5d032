"""Typed events: what the classes generated from the catalog have in common."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, ClassVar, Self, TypeVar
from uuid import UUID

from relay.errors import PayloadInvalid

__all__ = [
    "DomainEvent",
    "Metadata",
    "Part",
    "each",
    "each_value",
    "from_base64",
    "natural",
    "now",
    "optional",
]

T = TypeVar("T")

# From the point; beyond the digits of every decimal that a schema can have.
FARTHEST_DIGIT = 20_000

METADATA_KEYS = {
    "actorId": "actor_id",
    "correlationId": "correlation_id",
    "causationId": "causation_id",
    "sourceModule": "source_module",
    "traceparent": "traceparent",
    "tracestate": "tracestate",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Who caused an event, what it belongs to, and its trace (W3C Trace Context)."""

    actor_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    source_module: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None

    def to_json(self) -> dict[str, str]:
        """The fields that are set, by their names in JSON: actorId, correlationId, ..."""
        pairs = ((key, getattr(self, name)) for key, name in METADATA_KEYS.items())
        return {key: value for key, value in pairs if value is not None}

    @classmethod
    def from_json(cls, metadata: Mapping[str, Any]) -> Self:
        """Metadata from its JSON; keys that SQL publishers added besides are left out."""
        known = {METADATA_KEYS[key]: metadata[key] for key in METADATA_KEYS if key in metadata}
        return cls(**known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A record within an event's payload, such as one line of an order."""

    # Name in JSON -> name of the attribute, and natural JSON of what may be absent.
    JSON_FIELDS: ClassVar[dict[str, str]] = {}
    JSON_DEFAULTS: ClassVar[dict[str, Any]] = {}

    def to_json(self) -> dict[str, Any]:
        """Natural JSON; a value of a wrong type is left for the encoder to refuse by path."""
        return {key: natural(getattr(self, name)) for key, name in self.JSON_FIELDS.items()}

    @classmethod
    def complete(cls, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The payload with defaults for what is absent.

        Raises PayloadInvalid for a field that the class does not know, since it would be lost,
        and for one that is missing.
        """
        fields = {**cls.JSON_DEFAULTS, **payload}
        if unknown := sorted(fields.keys() - cls.JSON_FIELDS.keys()):
            raise PayloadInvalid(
                f"$.{unknown[0]}",
                f"{cls.__name__} has no such field and would lose it. "
                "Generate the classes again: relay schemas generate",
            )
        if missing := sorted(cls.JSON_FIELDS.keys() - fields.keys()):
            raise PayloadInvalid(f"$.{missing[0]}", f"missing, {cls.__name__} has no default")
        return fields


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainEvent(Part):
    """An event of one aggregate; its payload fields are those of the generated class.

    aggregate_id: key of the topic, order is kept within it. occurred_at: aware; now by default.
    metadata: what is not given is taken from the current context when it is published.
    """

    EVENT_TYPE: ClassVar[str]
    SCHEMA_VERSION: ClassVar[int]
    AGGREGATE_TYPE: ClassVar[str]
    # Of the domain file; metadata takes it where an event names no other.
    SOURCE_MODULE: ClassVar[str] = ""
    # CRC-64-AVRO of SCHEMA, 8 bytes, most significant first; SCHEMA is the .avsc without docs.
    FINGERPRINT: ClassVar[bytes]
    SCHEMA: ClassVar[dict[str, Any]]

    aggregate_id: str
    occurred_at: datetime = field(default_factory=now)
    metadata: Metadata | None = None

    @property
    def event_type(self) -> str:
        """Name of the event type, as in the catalog."""
        return self.EVENT_TYPE

    @property
    def payload(self) -> dict[str, Any]:
        """Natural JSON of the payload fields, the same as to_json()."""
        return self.to_json()

    @classmethod
    def from_json(
        cls,
        payload: Mapping[str, Any],
        *,
        aggregate_id: str,
        occurred_at: datetime,
        metadata: Metadata | None = None,
    ) -> Self:
        """The event of a payload in natural JSON, as a decoder gives it.

        Raises PayloadInvalid when a field is missing or would be lost.
        """
        raise NotImplementedError(f"{cls.__name__} is not generated from a schema")


def natural(value: Any) -> Any:
    """Natural JSON of a Python value.

    Decimal, date, time, UUID, bytes, records, lists and dicts are converted; all other values
    come back as they are. A naive datetime gets no offset, so the encoder refuses it.
    """
    convert = _NATURAL.get(type(value))
    if convert is not None:
        return convert(value)
    if isinstance(value, Part):
        return value.to_json()
    if isinstance(value, datetime):
        return _timestamp(value)
    return value


def from_base64(text: str) -> bytes:
    """Bytes of a base64 string (RFC 4648, section 4). Raises ValueError."""
    return b64decode(text, validate=True)


def optional(read: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """Reads null as None and everything else with `read`."""
    return lambda value: None if value is None else read(value)


def each(read: Callable[[Any], T]) -> Callable[[list[Any]], list[T]]:
    """Reads each item of an array with `read`."""
    return lambda value: [read(item) for item in value]


def each_value(read: Callable[[Any], T]) -> Callable[[dict[str, Any]], dict[str, T]]:
    """Reads each value of an object with `read`."""
    return lambda value: {key: read(item) for key, item in value.items()}


def _timestamp(value: datetime) -> str:
    # A time zone that knows no offset makes a naive datetime too: astimezone would guess.
    if value.utcoffset() is None:
        return value.isoformat()
    try:
        moment = value.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        # Outside the years 1 to 9999 in UTC, which the encoder refuses by path.
        return value.isoformat()
    return f"{moment.isoformat(timespec='microseconds')}Z"


def _decimal(value: Decimal) -> str:
    # Decimal("1e999999999") would be a gigabyte of text; the encoder refuses it by its exponent.
    return format(value, "f") if abs(value.adjusted()) <= FARTHEST_DIGIT else str(value)


_NATURAL: dict[type, Any] = {
    str: lambda value: value,
    int: lambda value: value,
    Decimal: _decimal,
    datetime: _timestamp,
    date: date.isoformat,
    time: time.isoformat,
    UUID: str,
    bytes: lambda value: b64encode(value).decode(),
    list: lambda value: [natural(item) for item in value],
    tuple: lambda value: [natural(item) for item in value],
    dict: lambda value: {key: natural(item) for key, item in value.items()},
}
