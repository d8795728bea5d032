"""What a reader has to get of a written value by Avro's rules, and where it can't get anything.

Source: Avro 1.12 specification, "Schema Resolution". Values are physical, as `samples` makes them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from relay.errors import CatalogInvalid
from relay.schema.avro.defaults import default_bytes
from relay.schema.avro.names import short_name
from relay.schema.avro.nodes import ABSENT, Field, Node
from relay.schema.checks.meaning import misreading, shown
from relay.schema.checks.samples import Branch
from relay.schema.checks.words import ROOT, item_path, type_words, value_path
from relay.schema.compatibility.rules import PROMOTIONS

__all__ = [
    "AnyOf",
    "Blocked",
    "Defaulted",
    "Expected",
    "Given",
    "blocked_in",
    "misread_in",
    "resolve",
]


@dataclass(frozen=True)
class Given:
    """The reader gets one of `options`. misread: how the same bytes mean something else to it."""

    path: str
    shown: str
    options: tuple[Any, ...]
    misread: str | None


@dataclass(frozen=True)
class Defaulted:
    """The writer has no such field, the reader takes its default."""


@dataclass(frozen=True)
class Blocked:
    """By the rules the reader can't get a value. shown: what was written, None without any."""

    path: str
    shown: str | None
    reason: str


@dataclass(frozen=True)
class AnyOf:
    """The reader's type is a union, and these are its branches that may take the value."""

    branches: tuple[Expected, ...]


Expected: TypeAlias = "Given | Defaulted | Blocked | AnyOf | dict[str, Expected] | list[Expected]"


def resolve(writer: Node, reader: Node, value: Any, path: str = ROOT) -> Expected:
    """What the reader has to get of `value`, in the shape of the reader's type."""
    if isinstance(value, Branch):
        return resolve(writer.branches[value.index], reader, value.value, path)
    if reader.kind == "union":
        fitting = [branch for branch in reader.branches if _may_take(writer, branch)]
        if not fitting:
            reason = f"{type_words(reader)} has no branch for {type_words(writer)}"
            return Blocked(path, shown(writer, value), reason)
        return AnyOf(tuple(resolve(writer, branch, value, path) for branch in fitting))
    if not _may_take(writer, reader):
        reason = f"{type_words(writer)} can't be read as {type_words(reader)}"
        return Blocked(path, shown(writer, value), reason)
    match writer.kind:
        case "record":
            return _record(writer, reader, value, path)
        case "array":
            at = item_path(path)
            return [resolve(writer.element, reader.element, item, at) for item in value]
        case "map":
            at = value_path(path)
            return {
                key: resolve(writer.element, reader.element, item, at)
                for key, item in value.items()
            }
        case "enum":
            return _enum(reader, value, path)
    return _scalar(writer, reader, value, path)


def blocked_in(expected: Expected) -> Iterator[Blocked]:
    """Every place where the reader gets nothing; a union is blocked if all of its branches are."""
    match expected:
        case Blocked():
            yield expected
        case AnyOf():
            each = [list(blocked_in(branch)) for branch in expected.branches]
            if all(each):
                yield from each[0]
        case dict():
            for value in expected.values():
                yield from blocked_in(value)
        case list():
            for value in expected:
                yield from blocked_in(value)


def misread_in(expected: Expected) -> Iterator[Given]:
    """Every place where the reader takes the bytes for another value, by all of its branches."""
    match expected:
        case Given(misread=str()):
            yield expected
        case AnyOf():
            each = [list(misread_in(branch)) for branch in expected.branches]
            if all(each):
                yield from each[0]
        case dict():
            for value in expected.values():
                yield from misread_in(value)
        case list():
            for value in expected:
                yield from misread_in(value)


def _may_take(writer: Node, reader: Node) -> bool:
    if writer.kind != reader.kind:
        return writer.kind in PROMOTIONS.get(reader.kind, ())
    if writer.size != reader.size:
        return False
    if not writer.name:
        return True
    # Java and fastavro compare named types without their namespaces.
    aliases = {*reader.aliases, *map(short_name, reader.aliases)}
    return short_name(writer.name) == short_name(reader.name) or writer.name in aliases


def _record(writer: Node, reader: Node, value: dict[str, Any], path: str) -> Expected:
    written = {field.name: field for field in writer.fields}
    expected: dict[str, Expected] = {}
    for field in reader.fields:
        at = f"{path}.{field.name}"
        source = next((written[n] for n in (field.name, *field.aliases) if n in written), None)
        if source is None:
            expected[field.name] = _default(field, at)
        else:
            expected[field.name] = resolve(source.node, field.node, value[source.name], at)
    return expected


def _default(field: Field, path: str) -> Expected:
    if field.default is ABSENT:
        return Blocked(path, None, "the writer has no such field, and it has no default")
    try:
        default_bytes(field.node, field.default)
    except CatalogInvalid as error:
        return Blocked(path, None, str(error))
    return Defaulted()


def _enum(reader: Node, symbol: str, path: str) -> Expected:
    if symbol in reader.symbols:
        return Given(path, symbol, (symbol,), None)
    if reader.default_symbol is not None:
        return Given(path, symbol, (reader.default_symbol,), None)
    reason = f"the {type_words(reader)} has no symbol {symbol} and no default"
    return Blocked(path, symbol, reason)


def _scalar(writer: Node, reader: Node, value: Any, path: str) -> Expected:
    text = shown(writer, value)
    misread = misreading(writer, reader, value)
    if writer.kind == reader.kind:
        return Given(path, text, (value,), misread)
    if reader.kind == "bytes":
        return Given(path, text, (value.encode(),), misread)
    if reader.kind == "string":
        try:
            return Given(path, text, (value.decode(),), misread)
        except UnicodeDecodeError:
            return Blocked(path, text, "these bytes are no UTF-8 text")
    if reader.kind == "long":
        return Given(path, text, (value,), misread)
    exact = float(value)
    # Clients without floats of 32 bits keep the digits of a double.
    options = (exact, *_as_float(exact)) if reader.kind == "float" else (exact,)
    return Given(path, text, options, misread)


def _as_float(value: float) -> tuple[float, ...]:
    return struct.unpack("<f", struct.pack("<f", value))
