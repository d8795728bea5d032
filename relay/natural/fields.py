"""Conversions of fields between Python values and natural JSON, by their type hints."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

from relay.natural.values import (
    NATURAL,
    PLAIN,
    HasJson,
    Mistyped,
    RecordJson,
    base64_text,
    from_base64,
)

__all__ = ["Read", "Write", "reader", "writer"]

Read = Callable[[Any], Any]

_READERS: dict[Any, Read] = {
    Decimal: Decimal,
    UUID: UUID,
    date: date.fromisoformat,
    time: time.fromisoformat,
    datetime: datetime.fromisoformat,
    bytes: from_base64,
}


class Write(dict[type, Read | None]):
    """Type of a value -> its conversion to natural JSON, None where it is natural JSON.

    Types are added when they first occur.
    """

    def __missing__(self, kind: type) -> Read | None:
        found = self[kind] = None if kind in PLAIN else NATURAL[kind]
        return found


class _AsIs(Write):
    """Keeps values of any type: the encoder refuses those that are not of the type."""

    def __missing__(self, kind: type) -> None:
        self[kind] = None


class _Declared(Write):
    """Takes values of the declared type only: a string for a Decimal or for bytes is a mistake
    that would be guessed at."""

    def __init__(self, declared: type) -> None:
        super().__init__({type(None): None, declared: NATURAL[declared]})
        if declared is bytes:
            self.update({bytearray: base64_text, memoryview: base64_text})
        self._declared = declared

    def __missing__(self, kind: type) -> Read | None:
        fits = issubclass(kind, self._declared)
        # A datetime is a date to Python only.
        if self._declared is date and issubclass(kind, datetime):
            fits = False
        convert = NATURAL[self._declared] if fits else partial(_mistyped, self._declared)
        self[kind] = convert
        return convert


class _Items(Write):
    """Writes a list's items or a dict's values by their own hint."""

    def __init__(self, item: Write) -> None:
        super().__init__()
        self[list] = self[tuple] = lambda value: list(_each(value, item))
        self[dict] = lambda value: dict(zip(value, _each(value.values(), item), strict=True))


class _AnyType(Write):
    """Writes a union of several types, which a record's class decides between."""

    def __missing__(self, kind: type) -> Read | None:
        record = getattr(kind, "RECORD", "")
        if not (record and issubclass(kind, HasJson)):
            return super().__missing__(kind)
        found = self[kind] = lambda value: RecordJson(value.to_json(), record)
        return found


class _Float(Write):
    """JSON has no integers of more than 64 bits; a double may hold them exactly."""

    def __init__(self) -> None:
        super().__init__({int: _whole})


def _whole(value: int) -> Any:
    try:
        exact = float(value)
    except OverflowError:
        return value
    return exact if exact == value else value


def _each(values: Iterable[Any], item: Write) -> Iterable[Any]:
    for value in values:
        convert = item[type(value)]
        yield value if convert is None else convert(value)


def _mistyped(declared: type, value: Any) -> Mistyped:
    return Mistyped(value, declared)


def writer(hint: Any) -> Write:
    """Returns what writes the values of a type hint as natural JSON."""
    if hint in _READERS:
        return _Declared(hint)
    if hint is float:
        return _Float()
    if hint is Any:
        return _AnyType()
    origin, inner = get_origin(hint), get_args(hint)
    if hint in {str, int, bool} or origin is Literal:
        return _AsIs()
    if origin in {list, dict}:
        return _Items(writer(inner[-1]))
    only = _only(origin, inner)
    return Write() if only is None else writer(only)


def reader(hint: Any) -> Read | None:
    """Returns the function from natural JSON to a type hint's value; None if they are the same."""
    if (read := _READERS.get(hint)) is not None:
        return read
    if isinstance(hint, type) and issubclass(hint, HasJson):
        from_json: Read = hint.from_json  # type: ignore[attr-defined]
        return from_json
    origin, inner = get_origin(hint), get_args(hint)
    if origin is list:
        return _each_item(reader(inner[0]))
    if origin is dict:
        return _each_value(reader(inner[1]))
    only = _only(origin, inner)
    read = None if only is None else reader(only)
    return None if read is None else _optional(read)


def _only(origin: Any, inner: tuple[Any, ...]) -> Any:
    """The type of a union of one type and None."""
    if origin not in {Union, UnionType}:
        return None
    others = [each for each in inner if each is not type(None)]
    return others[0] if len(others) == 1 and len(inner) == 2 else None


def _optional(read: Read) -> Read:
    return lambda value: None if value is None else read(value)


def _each_item(read: Read | None) -> Read:
    return list if read is None else lambda value: [read(item) for item in value]


def _each_value(read: Read | None) -> Read:
    return dict if read is None else lambda value: {k: read(v) for k, v in value.items()}
