"""Finds where a reader does not get a written value.

Source: Avro 1.12 specification, "Schema Resolution". Values are plain, as `samples` makes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from relay.errors import CatalogInvalid
from relay.schema.avro.defaults import default_bytes
from relay.schema.avro.matching import branch_for, may_read, sources
from relay.schema.avro.nodes import ABSENT, Field, Node
from relay.schema.avro.plain import Branch
from relay.schema.avro.promotion import promotion
from relay.schema.checks.meaning import misreading, shown
from relay.schema.checks.words import ROOT, cut, item_path, type_words, value_path

__all__ = ["UNREAD", "Fault", "faults"]

# In place of what the reader got where it could not read the bytes.
UNREAD: Any = object()


@dataclass(frozen=True)
class Fault:
    """A part that the reader does not get. shown: what was written, None where nothing was.

    kind: blocked: by the rules; misread: the reader gets another value by the rules; wrong: it
    gets something else than the rules require.
    """

    kind: str
    path: str
    shown: str | None
    problem: str


def faults(writer: Node, reader: Node, value: Any, got: Any, path: str = ROOT) -> Iterator[Fault]:
    """Compares what the reader got of `value` with what it has to get.

    got: plain, its unions without their branches; UNREAD where the bytes can't be read.
    """
    if isinstance(value, Branch):
        yield from faults(writer.branches[value.index], reader, value.value, got, path)
        return
    if reader.kind == "union":
        branch = branch_for(reader, writer)
        if branch is None:
            reason = f"{type_words(reader)} has no branch for {type_words(writer)}"
            yield _blocked(path, shown(writer, value), reason, got)
        else:
            yield from faults(writer, branch, value, got, path)
        return
    if not may_read(reader, writer):
        reason = f"{type_words(writer)} can't be read as {type_words(reader)}"
        yield _blocked(path, shown(writer, value), reason, got)
        return
    match writer.kind:
        case "record":
            yield from _record(writer, reader, value, got, path)
        case "array":
            at = item_path(path)
            for index, item in enumerate(value):
                yield from faults(writer.element, reader.element, item, _inner(got, index), at)
        case "map":
            at = value_path(path)
            for key, item in value.items():
                yield from faults(writer.element, reader.element, item, _inner(got, key), at)
        case "enum":
            yield from _enum(reader, value, got, path)
        case _:
            yield from _scalar(writer, reader, value, got, path)


def _record(
    writer: Node, reader: Node, value: dict[str, Any], got: Any, path: str
) -> Iterator[Fault]:
    for field, source in sources(reader, writer):
        at, part = f"{path}.{field.name}", _inner(got, field.name)
        if source is not None:
            yield from faults(source.node, field.node, value[source.name], part, at)
        elif (reason := _no_default(field)) is not None:
            yield _blocked(at, None, reason, part)


def _no_default(field: Field) -> str | None:
    """Why a field has no usable default.

    Its value is not compared: nothing was written.
    """
    if field.default is ABSENT:
        return "the writer has no such field, and it has no default"
    try:
        default_bytes(field.node, field.default)
    except CatalogInvalid as error:
        return str(error)
    return None


def _enum(reader: Node, symbol: str, got: Any, path: str) -> Iterator[Fault]:
    expected = symbol if symbol in reader.symbols else reader.default_symbol
    if expected is None:
        reason = f"the {type_words(reader)} has no symbol {symbol} and no default"
        yield _blocked(path, symbol, reason, got)
    else:
        yield from _wrong(path, symbol, expected, got)


def _scalar(writer: Node, reader: Node, value: Any, got: Any, path: str) -> Iterator[Fault]:
    text = shown(writer, value)
    promote = promotion(writer.kind, reader.kind)
    try:
        expected = value if promote is None else promote(value)
    except ValueError as error:
        yield _blocked(path, text, str(error), got)
        return
    if (meaning := misreading(writer, reader, value, expected)) is not None:
        yield Fault("misread", path, text, meaning)
    yield from _wrong(path, text, expected, got)


def _blocked(path: str, text: str | None, reason: str, got: Any) -> Fault:
    if got is UNREAD:
        return Fault("blocked", path, text, reason)
    return Fault("wrong", path, text or "nothing", f"read as {cut(repr(got), 80)}, though {reason}")


def _wrong(path: str, text: str, expected: Any, got: Any) -> Iterator[Fault]:
    # repr distinguishes -0.0 from 0.0, and the type 1 from 1.0 and True.
    if got is not UNREAD and repr(expected) != repr(got):
        problem = f"read as {cut(repr(got), 80)}, should be {cut(repr(expected), 80)}"
        yield Fault("wrong", path, text, problem)


def _inner(got: Any, key: str | int) -> Any:
    """A field, an item or a map's value of what was read; None where it has no such part."""
    if got is UNREAD:
        return UNREAD
    if isinstance(got, dict):
        return got.get(key)
    return got[key] if isinstance(got, list) and isinstance(key, int) and key < len(got) else None
