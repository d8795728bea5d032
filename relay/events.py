"""Typed events: what the classes generated from the catalog have in common, and lookups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, get_args

from relay.errors import CatalogInvalid, PayloadInvalid, SchemaUnknown
from relay.natural import JsonRecord, Part, arguments, from_base64
from relay.schema.avro.encoder import Encoder, compile_encoder
from relay.schema.avro.fingerprint import rabin
from relay.schema.avro.json_text import schema_json
from relay.schema.avro.nodes import Node
from relay.schema.avro.parse import read_schema
from relay.schema.avro.slow_path import encode_slowly

__all__ = [
    "DomainEvent",
    "Metadata",
    "Part",
    "active_versions",
    "by_version",
    "checked",
    "find_class",
    "from_base64",
    "read_avsc",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata(JsonRecord):
    """Who caused an event, what it belongs to, and its trace (W3C Trace Context)."""

    actor_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    source_module: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None

    def to_json(self) -> dict[str, str]:
        """Returns the fields that are set, by their names in JSON: actorId, correlationId, ..."""
        found = JsonRecord.to_json(self)
        return {key: value for key, value in found.items() if value is not None}

    @classmethod
    def from_json(cls, metadata: Mapping[str, Any]) -> Self:
        """Reads metadata from JSON; other keys, which SQL publishers may add, are ignored."""
        known = {METADATA_KEYS[key]: metadata[key] for key in METADATA_KEYS if key in metadata}
        return cls(**known)


# Name in JSON -> attribute.
METADATA_KEYS = Metadata.JSON_FIELDS


def read_avsc(module: str, name: str) -> dict[str, Any]:
    """A schema without its docs, from the .avsc file beside a generated module.

    module: the module's `__file__`. Raises CatalogInvalid where the file can't be read.
    """
    path = Path(module).with_name(name)
    try:
        schema: dict[str, Any] = _without_docs(schema_json(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise CatalogInvalid(
            f"{path}: {error}. Install the .avsc files beside the classes generated from them"
        ) from error
    return schema


def _without_docs(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_docs(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    # A default is data, whose keys may be called doc.
    return {
        key: value if key == "default" else _without_docs(value)
        for key, value in schema.items()
        if key != "doc"
    }


class _Derived:
    """Default of a class constant, derived from the class's SCHEMA on first use."""

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
    """Slot for the result of the last check; not a field, so it is not part of the value."""

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
        # Default of metadata's source_module.
        SOURCE_MODULE: ClassVar[str]
    else:
        FINGERPRINT = _Derived(rabin)
        SOURCE_MODULE = _Derived(_last_word_of_namespace)

    aggregate_id: str = field(kw_only=False)
    occurred_at: datetime = field(default_factory=lambda: datetime.now(UTC))
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
        """Makes the event from a payload in natural JSON, as a decoder returns it.

        Raises PayloadInvalid when a field is missing, does not fit or would be lost.
        """
        return cls(
            aggregate_id=aggregate_id,
            occurred_at=occurred_at,
            metadata=metadata,
            **arguments(cls, payload),
        )

    @classmethod
    def from_converted(
        cls,
        payload: dict[str, Any],
        *,
        aggregate_id: str,
        occurred_at: datetime,
        metadata: Metadata | None = None,
    ) -> Self:
        """Makes the event from natural JSON that a converter returned, for a handler.

        As from_json, but a value may fit several types of a union: nothing is written by it.
        """
        encode_slowly(_root(cls), payload, take_first=True)  # type: ignore[arg-type]  # mypy: no hash
        return cls.from_decoded(
            payload, aggregate_id=aggregate_id, occurred_at=occurred_at, metadata=metadata
        )

    @classmethod
    def from_decoded(
        cls,
        payload: Mapping[str, Any],
        *,
        aggregate_id: str,
        occurred_at: datetime,
        metadata: Metadata | None = None,
    ) -> Self:
        """Returns the event of natural JSON that was decoded by this class's SCHEMA: as from_json,
        without checking again that each value fits."""
        event = object.__new__(cls)
        values = arguments(cls, payload)
        values |= {"aggregate_id": aggregate_id, "occurred_at": occurred_at, "metadata": metadata}
        for name, value in values.items():
            object.__setattr__(event, name, value)
        object.__setattr__(event, "_checked", None)
        return event


def checked(event: DomainEvent) -> Checked:
    """Returns the payload as it is now.

    Events with lists, dicts or records are checked and encoded again, since these may have changed
    since construction; comparing them would take longer.
    Raises PayloadInvalid with the JSON path, and CatalogInvalid for a class without SCHEMA.
    """
    # copy and pickle leave the slot empty.
    return getattr(event, "_checked", None) or _check(event)[0]


def _check(event: DomainEvent) -> tuple[Checked, bool]:
    """Checks an event: the only place that does. Returns the payload and whether it can change."""
    # mypy confuses the __hash__ of instances with that of their class.
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
def _root(kind: type[DomainEvent]) -> Node:
    return read_schema(kind.SCHEMA)


@lru_cache(maxsize=4096)
def _encoder(kind: type[DomainEvent]) -> tuple[Encoder, bool]:
    """Returns the encoder of a class, and whether the payload of its events can change."""
    schema = getattr(kind, "SCHEMA", None)
    if schema is None:
        raise CatalogInvalid(
            f"{kind.__module__}.{kind.__qualname__} has no SCHEMA. Use a class that relay schemas "
            "generate has made"
        )
    # An overridden to_json may return another payload each time.
    can_change = kind.to_json is not JsonRecord.to_json or _holds_others(read_schema(schema))
    return compile_encoder(schema), can_change


def _holds_others(root: Node) -> bool:
    """Returns whether a field may have a list, a dict or a record as value."""
    values = [branch for field in root.fields for branch in (field.node.branches or [field.node])]
    return any(value.kind in {"record", "array", "map"} for value in values)


def by_version(*unions: Any) -> dict[tuple[str, int], type[DomainEvent]]:
    """Returns event type and schema version -> class, of unions of classes."""
    return {(kind.EVENT_TYPE, kind.SCHEMA_VERSION): kind for kind in _classes(unions)}


def active_versions(*unions: Any) -> dict[str, int]:
    """Returns event type -> schema version, of unions of classes with active versions."""
    return {kind.EVENT_TYPE: kind.SCHEMA_VERSION for kind in _classes(unions)}


def _classes(unions: tuple[Any, ...]) -> list[type[DomainEvent]]:
    # A union of one class is the class itself.
    return [kind for union in unions for kind in get_args(union) or (union,)]


def find_class(
    classes: Mapping[tuple[str, int], type[DomainEvent]],
    active: Mapping[str, int],
    event_type: str,
    version: int | None,
) -> type[DomainEvent]:
    """Returns the class of an event type; None: of its active version. Raises SchemaUnknown."""
    number = active.get(event_type, 0) if version is None else version
    try:
        return classes[event_type, number]
    except KeyError:
        raise SchemaUnknown(
            f"no class for event type {event_type!r}, version {version or 'active'}. "
            "Add its schema to the catalog, then: relay schemas generate"
        ) from None
