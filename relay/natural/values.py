"""Natural JSON of Python values, by the types that the values have."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

__all__ = [
    "NATURAL",
    "PLAIN",
    "HasJson",
    "Mistyped",
    "RecordJson",
    "base64_text",
    "from_base64",
    "in_one_line",
    "natural",
]

Convert = Callable[[Any], Any]

# Exponent of a decimal; no schema can have that many digits.
FARTHEST_DIGIT = 20_000
# Types whose values are natural JSON already.
PLAIN = frozenset({str, int, bool, float, type(None)})


class HasJson:
    """A class whose values write themselves as natural JSON."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """Natural JSON."""
        raise NotImplementedError


class RecordJson(dict[str, Any]):
    """Natural JSON of a record that is one of several types of a union. record: its full name."""

    __slots__ = ("record",)

    def __init__(self, found: dict[str, Any], record: str) -> None:
        super().__init__(found)
        self.record = record


class Mistyped(NamedTuple):
    """A value of another type than its field declares, in place of its natural JSON."""

    value: Any
    declared: type

    @property
    def problem(self) -> str:
        """What is wrong with it, in words."""
        wanted = self.declared.__name__
        if self.declared is bytes:
            wanted = "bytes, bytearray or memoryview"
        return f"a value of type {type(self.value).__name__}. The field takes {wanted}"


def natural(value: Any) -> Any:
    """Natural JSON of a Python value.

    Decimal, date, time, UUID, bytes, records, lists and dicts are converted; all other values
    come back as they are. A naive datetime gets no offset, so the encoder refuses it.
    """
    kind = type(value)
    return value if kind in PLAIN else NATURAL[kind](value)


def from_base64(text: str) -> bytes:
    """Bytes of a base64 string (RFC 4648, section 4), maybe in lines. Raises ValueError."""
    return b64decode(in_one_line(text), validate=True)


def in_one_line(base64: str) -> str:
    """Base64 without line breaks, which PostgreSQL and MIME put into it."""
    return base64.replace("\r", "").replace("\n", "")


def base64_text(data: bytes | bytearray | memoryview) -> str:
    """Base64 of bytes."""
    return b64encode(data).decode()


def _timestamp(value: datetime) -> str:
    if value.tzinfo is UTC:
        return f"{value.isoformat(timespec='microseconds')[:-6]}Z"
    # A time zone may return no offset, which is naive too: astimezone would guess.
    if value.utcoffset() is None:
        return value.isoformat()
    try:
        instant = value.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        # Outside the years 1 to 9999 in UTC, which the encoder refuses by path.
        return value.isoformat()
    return f"{instant.isoformat(timespec='microseconds')}Z"


def _decimal(value: Decimal) -> str:
    # Decimal("1e999999999") would be a gigabyte; the encoder refuses the exponent.
    return format(value, "f") if abs(value.adjusted()) <= FARTHEST_DIGIT else str(value)


class _Natural(dict[type, Convert]):
    """Type -> conversion to natural JSON; subclasses are added when they first occur."""

    def __missing__(self, kind: type) -> Convert:
        if issubclass(kind, HasJson):
            # Looked up by name, since a class may override to_json.
            convert: Convert = lambda value: value.to_json()  # noqa: E731
        else:
            convert = _timestamp if issubclass(kind, datetime) else _same
        self[kind] = convert
        return convert


def _same(value: Any) -> Any:
    return value


def _list(value: list[Any] | tuple[Any, ...]) -> list[Any]:
    return [natural(item) for item in value]


NATURAL = _Natural(
    {
        Decimal: _decimal,
        datetime: _timestamp,
        date: date.isoformat,
        time: time.isoformat,
        UUID: str,
        bytes: base64_text,
        bytearray: base64_text,
        memoryview: base64_text,
        list: _list,
        tuple: _list,
        dict: lambda value: {key: natural(item) for key, item in value.items()},
    }
)
