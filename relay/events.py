"""Typed events: what the classes generated from the catalog have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from relay.errors import CatalogInvalid, PayloadInvalid
from relay.natural import JsonRecord, Part, arguments, from_base64
from relay.schema.avro.encoder import Encoder, compile_encoder
from relay.schema.avro.fingerprint import rabin
from relay.schema.avro.nodes import Node
from relay.schema.avro.parse import read_schema

__all__ = ["DomainEvent", "Metadata", "Part", "checked", "envelope", "from_base64", "now"]

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


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


class _Derived:
    """A constant of a class that does not state it: worked out once from the class's SCHEMA."""

    def __init__(self, derive: Callable[[dict[str, Any]], Any]) -> None:
        self._of = lru_cache(maxsize=4096)(lambda kind: derive(kind.SCHEMA))

    def __get__(self, _: object, kind: type[DomainEvent]) -> Any:
        return self._of(kind)  # type: ignore[arg-type]  # mypy: no hash


def _last_word_of_namespace(schema: dict[str, Any]) -> str:
    name = read_schema(schema).name
    return name.split(".")[-2] if "." in name else ""


class Checked(NamedTuple):
    """A payload that fits its schema. avro: its Avro binary without header; json: natural JSON."""

    avro: bytes
    json: dict[str, Any]


class _KeepsChecked:
    """Keeps what an event was checked with beside its fields: it is no part of its value."""

    __slots__ = ("_checked",)

    _checked: Checked | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainEvent(JsonRecord, _KeepsChecked):
    """An event of one aggregate; its payload fields are those of the generated class.

    aggregate_id: key of the topic, order is kept within it. occurred_at: aware; now by default.
    metadata: what is not given is taken from the current context when it is published.
    """

    EVENT_TYPE: ClassVar[str]
    SCHEMA_VERSION: ClassVar[int] = 1
    AGGREGATE_TYPE: ClassVar[str]
    # The .avsc without docs.
    SCHEMA: ClassVar[dict[str, Any]]
    if TYPE_CHECKING:
        # CRC-64-AVRO of SCHEMA, 8 bytes, most significant first.
        FINGERPRINT: ClassVar[bytes]
        # Metadata takes it where an event names no other.
        SOURCE_MODULE: ClassVar[str]
    else:
        FINGERPRINT = _Derived(rabin)
        SOURCE_MODULE = _Derived(_last_word_of_namespace)

    aggregate_id: str
    occurred_at: datetime = field(default_factory=now)
    metadata: Metadata | None = None

    def __post_init__(self) -> None:
        """Raises PayloadInvalid when a value does not fit the schema."""
        found, can_change = _check(self)
        object.__setattr__(self, "_checked", None if can_change else found)

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

        Raises PayloadInvalid when a field is missing, does not fit or would be lost.
        """
        return cls(
            aggregate_id=aggregate_id,
            occurred_at=occurred_at,
            metadata=metadata,
            **arguments(cls, payload),
        )


def envelope(
    aggregate_id: str, occurred_at: datetime | None, metadata: Metadata | None
) -> dict[str, Any]:
    """Arguments that all classes of events share; it occurred now by default."""
    return {
        "aggregate_id": aggregate_id,
        "occurred_at": occurred_at or now(),
        "metadata": metadata,
    }


def checked(event: DomainEvent) -> Checked:
    """The payload as it is now.

    It was checked and encoded when the event was made, and is not again, unless the event has
    lists, dicts or records: they may have changed since. To compare them would take longer.
    Raises PayloadInvalid, whose path names the place, and CatalogInvalid for a class without
    SCHEMA.
    """
    # Copies that copy and pickle make have none.
    return getattr(event, "_checked", None) or _check(event)[0]


def _check(event: DomainEvent) -> tuple[Checked, bool]:
    """The payload, and whether it can change. The only place that decides if an event is valid."""
    # mypy holds the __hash__ of instances against their class.
    encode, can_change = _encoder(type(event))  # type: ignore[arg-type]
    try:
        payload = event.to_json()
    except RecursionError:
        raise PayloadInvalid("$", "nested too deeply. Flatten the payload") from None
    avro = encode(payload)
    if type(event.aggregate_id) is not str:
        raise PayloadInvalid("$aggregateId", f"{event.aggregate_id!r} is not a string")
    occurred_at = event.occurred_at
    if not isinstance(occurred_at, datetime) or occurred_at.utcoffset() is None:
        raise PayloadInvalid(
            "$occurredAt", f"{occurred_at!r} is not an aware datetime: use datetime.now(UTC)"
        )
    return Checked(avro, payload), can_change


@lru_cache(maxsize=4096)
def _encoder(kind: type[DomainEvent]) -> tuple[Encoder, bool]:
    """Encoder of a class, and whether its events can change without being made anew."""
    schema = getattr(kind, "SCHEMA", None)
    if schema is None:
        raise CatalogInvalid(
            f"{kind.__module__}.{kind.__qualname__} has no SCHEMA. Use a class that relay schemas "
            "generate has made"
        )
    # Another to_json may give anything at any time.
    can_change = kind.to_json is not JsonRecord.to_json or _holds_others(read_schema(schema))
    return compile_encoder(schema), can_change


def _holds_others(root: Node) -> bool:
    """Whether the value of a field may be a list, a dict or a record."""
    values = [branch for field in root.fields for branch in (field.node.branches or [field.node])]
    return any(value.kind in {"record", "array", "map"} for value in values)
