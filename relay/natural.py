"""Natural JSON of Python values, and Python values of natural JSON, as their type hints ask."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from inspect import get_annotations
from types import UnionType
from typing import Any, ClassVar, Self, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from relay.errors import PayloadInvalid

__all__ = ["PLAIN", "JsonRecord", "Part", "arguments", "from_base64", "json_name", "natural"]

Read = Callable[[Any], Any]

# After the point; beyond the digits of every decimal that a schema can have.
FARTHEST_DIGIT = 20_000
# An event has these beside its payload; no payload field gets such an attribute.
ENVELOPE = frozenset({"aggregate_id", "metadata", "occurred_at"})
# Types whose values are natural JSON already.
PLAIN = frozenset({str, int, bool, float, type(None)})


class JsonRecord:
    """A class whose fields are written as natural JSON, each under its own name.

    JSON_FIELDS is derived from the fields: name in JSON -> attribute. The name is the attribute's
    in lowerCamelCase; JSON_NAMES has the others, attribute -> name in JSON.
    """

    __slots__ = ()

    JSON_NAMES: ClassVar[Mapping[str, str]] = {}
    JSON_FIELDS: ClassVar[dict[str, str]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # A class that states its JSON_FIELDS keeps them, and so does its copy with slots.
        if "JSON_FIELDS" in cls.__dict__:
            return
        hints = get_annotations(cls)
        own = [name for name, hint in hints.items() if _is_field(name, hint)]
        cls.JSON_FIELDS = {
            **cls.JSON_FIELDS,
            **{cls.JSON_NAMES.get(name) or json_name(name): name for name in own},
        }

    def to_json(self) -> dict[str, Any]:
        """Natural JSON; a value of a wrong type is left for the encoder to refuse by path."""
        found = {}
        for key, name in self.JSON_FIELDS.items():
            value = getattr(self, name)
            kind = type(value)
            found[key] = value if kind in PLAIN else _NATURAL[kind](value)
        return found


class Part(JsonRecord):
    """A record within an event's payload, such as one line of an order."""

    __slots__ = ()

    @classmethod
    def from_json(cls, payload: Mapping[str, Any]) -> Self:
        """Reads natural JSON; raises PayloadInvalid when a field is missing or would be lost."""
        return cls(**arguments(cls, payload))


def json_name(attribute: str) -> str:
    """The name in JSON of an attribute that has no other: order_id is orderId."""
    first, *others = attribute.strip("_").split("_")
    return first + "".join(f"{word[:1].upper()}{word[1:]}" for word in others)


def natural(value: Any) -> Any:
    """Natural JSON of a Python value.

    Decimal, date, time, UUID, bytes, records, lists and dicts are converted; all other values
    come back as they are. A naive datetime gets no offset, so the encoder refuses it.
    """
    kind = type(value)
    return value if kind in PLAIN else _NATURAL[kind](value)


def arguments(kind: type[JsonRecord], payload: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments to make a `kind` with, of its natural JSON; what is absent is left to defaults.

    Raises PayloadInvalid for a field that the class does not know, since it would be lost, and
    for one that is missing.
    """
    readers, required = _readers(kind)  # type: ignore[arg-type]  # of instances mypy has no hash
    if not payload.keys() <= readers.keys():
        unknown = min(payload.keys() - readers.keys())
        raise PayloadInvalid(
            f"$.{unknown}",
            f"{kind.__name__} has no such field and would lose it. "
            "Generate the classes again: relay schemas generate",
        )
    if not required <= payload.keys():
        missing = min(required - payload.keys())
        raise PayloadInvalid(f"$.{missing}", f"missing, {kind.__name__} has no default")
    found = {}
    for key, value in payload.items():
        name, read = readers[key]
        found[name] = value if read is None else read(value)
    return found


def from_base64(text: str) -> bytes:
    """Bytes of a base64 string (RFC 4648, section 4). Raises ValueError."""
    return b64decode(text, validate=True)


def _is_field(name: str, hint: Any) -> bool:
    text = hint if isinstance(hint, str) else repr(hint)
    return name not in ENVELOPE and not text.startswith(("ClassVar", "typing.ClassVar"))


@cache
def _readers(kind: type[Any]) -> tuple[dict[str, tuple[str, Read | None]], frozenset[str]]:
    """Name in JSON -> attribute and the function that reads it; the names without default."""
    hints = get_type_hints(kind)
    readers = {key: (name, _reader(hints[name])) for key, name in kind.JSON_FIELDS.items()}
    defaults = {
        field.name
        for field in fields(kind)
        if field.default is not MISSING or field.default_factory is not MISSING
    }
    return readers, frozenset(key for key, name in kind.JSON_FIELDS.items() if name not in defaults)


def _reader(hint: Any) -> Read | None:
    """Function from natural JSON to a value of a type hint; None where they are the same."""
    if (read := _READERS.get(hint)) is not None:
        return read
    if isinstance(hint, type) and issubclass(hint, Part):
        return hint.from_json
    origin, inner = get_origin(hint), get_args(hint)
    if origin is list:
        return _each(_reader(inner[0]))
    if origin is dict:
        return _each_value(_reader(inner[1]))
    if origin in {Union, UnionType}:
        others = [each for each in inner if each is not type(None)]
        read = _reader(others[0]) if len(others) == 1 and len(inner) == 2 else None
        return None if read is None else _optional(read)
    return None


def _optional(read: Read) -> Read:
    return lambda value: None if value is None else read(value)


def _each(read: Read | None) -> Read:
    return list if read is None else lambda value: [read(item) for item in value]


def _each_value(read: Read | None) -> Read:
    return dict if read is None else lambda value: {k: read(v) for k, v in value.items()}


def _timestamp(value: datetime) -> str:
    if value.tzinfo is UTC:
        return f"{value.isoformat(timespec='microseconds')[:-6]}Z"
    # A time zone that knows no offset makes a naive datetime too: astimezone would guess.
    if value.utcoffset() is None:
        return value.isoformat()
    try:
        instant = value.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        # Outside the years 1 to 9999 in UTC, which the encoder refuses by path.
        return value.isoformat()
    return f"{instant.isoformat(timespec='microseconds')}Z"


def _decimal(value: Decimal) -> str:
    # Decimal("1e999999999") would be a gigabyte of text; the encoder refuses it by its exponent.
    return format(value, "f") if abs(value.adjusted()) <= FARTHEST_DIGIT else str(value)


class _Natural(dict[type, Read]):
    """Type -> what its values are as natural JSON; a subclass is found when it is first met."""

    def __missing__(self, kind: type) -> Read:
        if issubclass(kind, JsonRecord):
            # By its name, since a class may write its JSON itself.
            convert: Read = lambda value: value.to_json()  # noqa: E731
        else:
            convert = _timestamp if issubclass(kind, datetime) else _same
        self[kind] = convert
        return convert


def _same(value: Any) -> Any:
    return value


def _list(value: list[Any] | tuple[Any, ...]) -> list[Any]:
    return [natural(item) for item in value]


_NATURAL = _Natural(
    {
        Decimal: _decimal,
        datetime: _timestamp,
        date: date.isoformat,
        time: time.isoformat,
        UUID: str,
        bytes: lambda value: b64encode(value).decode(),
        list: _list,
        tuple: _list,
        dict: lambda value: {key: natural(item) for key, item in value.items()},
    }
)
_READERS: dict[Any, Read] = {
    Decimal: Decimal,
    UUID: UUID,
    date: date.fromisoformat,
    time: time.fromisoformat,
    datetime: datetime.fromisoformat,
    bytes: from_base64,
}
