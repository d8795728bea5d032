"""Turns what a writer's schema wrote into values of a reader's schema.

Each pair of types becomes a function from the writer's plain value. Values are what Java's reader
returns: a promoted value is the same text, bytes or number, and the reader's logical type applies
to it. Only where both sides have decimals of another scale or times in another unit, which Java
takes for other amounts, the amount is kept.

Source: Apache Avro 1.12 specification, "Schema Resolution"; Apache Avro for Java 1.12.1,
`Resolver`, `ResolvingDecoder` and `GenericDatumReader`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from relay.errors import PayloadInvalid
from relay.schema.avro.matching import branch_for, may_read, sources
from relay.schema.avro.nodes import ABSENT, Field, Node
from relay.schema.avro.plain import branch_key
from relay.schema.avro.promotion import amount_kept, promotion
from relay.schema.avro.to_json import json_of

__all__ = ["Resolve", "resolution"]

Resolve = Callable[[Any], Any]
Default = Callable[[Field], Any]


class _Unreadable(Exception):
    """A value that the reader can't have. path: field names, indexes and keys, innermost first."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.path: list[str | int] = []


def resolution(writer: Node, reader: Node, default: Default, *, plain: bool = False) -> Resolve:
    """Returns the function from plain values of the writer, as read, to the reader's.

    default: value of a reader's field that the writer lacks. plain: the result is plain as well,
    its unions without their branches; otherwise it is natural JSON.
    The function raises PayloadInvalid for a value that the reader can't have.
    """
    resolve = _Pairs(default, plain).of(writer, reader)

    def resolve_one(value: Any) -> Any:
        try:
            return resolve(value)
        except _Unreadable as unreadable:
            path = "".join(map(_step, reversed(unreadable.path)))
            raise PayloadInvalid(f"${path}", str(unreadable)) from None
        except RecursionError:
            raise PayloadInvalid("$", "nested too deeply to be read") from None

    return resolve_one


def _step(part: str | int) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{part}"


class _Pairs:
    """The functions of all pairs of types, each made once: types may contain themselves."""

    def __init__(self, default: Default, plain: bool) -> None:
        self._default = default
        self._plain = plain
        self._known: dict[tuple[Node, Node], Resolve] = {}

    def of(self, writer: Node, reader: Node) -> Resolve:
        """Returns the function of a pair."""
        pair = (writer, reader)
        if pair not in self._known:
            # A type inside itself finds this function, which calls the finished one.
            self._known[pair] = partial(self._again, pair)
            self._known[pair] = self._make(writer, reader)
        return self._known[pair]

    def _again(self, pair: tuple[Node, Node], value: Any) -> Any:
        return self._known[pair](value)

    def _make(self, writer: Node, reader: Node) -> Resolve:
        if writer.kind == "union":
            return _of_branch([self.of(branch, reader) for branch in writer.branches])
        if reader.kind == "union":
            branch = branch_for(reader, writer)
            return _refused(writer, reader) if branch is None else self.of(writer, branch)
        if not may_read(reader, writer):
            return _refused(writer, reader)
        match reader.kind:
            case "record":
                return self._record(writer, reader)
            case "array":
                return _array(self.of(writer.element, reader.element))
            case "map":
                return _map(self.of(writer.element, reader.element))
            case "enum":
                return _enum(reader)
        return self._scalar(writer, reader)

    def _record(self, writer: Node, reader: Node) -> Resolve:
        matched = list(sources(reader, writer))
        fields = [
            (field.name, source.name, self.of(source.node, field.node))
            for field, source in matched
            if source is not None
        ]
        added = [field for field, source in matched if source is None]
        missing = next((field.name for field in added if field.default is ABSENT), None)
        if missing is not None:
            return _raising(f"{missing} is missing: the writer has no such field, and no default")
        defaults = orjson.dumps({field.name: self._default(field) for field in added})
        order = [field.name for field in reader.fields]

        def record(value: dict[str, Any]) -> dict[str, Any]:
            # Made anew, since a default may be a list or a dict.
            found: dict[str, Any] = orjson.loads(defaults) if added else {}
            name = ""
            try:
                for name, source, resolve in fields:
                    found[name] = resolve(value[source])
            except _Unreadable as unreadable:
                unreadable.path.append(name)
                raise
            return {name: found[name] for name in order} if added else found

        return record

    def _scalar(self, writer: Node, reader: Node) -> Resolve:
        promote = promotion(writer.kind, reader.kind)
        convert = None if self._plain else amount_kept(writer, reader) or json_of(reader)
        if promote is None and convert is None:
            return _same
        return partial(_converted, promote or _same, convert or _same)


def _same(value: Any) -> Any:
    return value


def _converted(promote: Resolve, convert: Resolve, value: Any) -> Any:
    try:
        return convert(promote(value))
    except (ValueError, ArithmeticError) as error:
        raise _Unreadable(str(error)) from None


def _of_branch(branches: list[Resolve]) -> Resolve:
    by_key = {branch_key(index): resolve for index, resolve in enumerate(branches)}

    def union(value: dict[str, Any]) -> Any:
        ((key, inner),) = value.items()
        return by_key[key](inner)

    return union


def _array(resolve: Resolve) -> Resolve:
    def array(value: list[Any]) -> list[Any]:
        found: list[Any] = []
        try:
            for item in value:
                found.append(resolve(item))
        except _Unreadable as unreadable:
            unreadable.path.append(len(found))
            raise
        return found

    return array


def _map(resolve: Resolve) -> Resolve:
    def map_(value: dict[str, Any]) -> dict[str, Any]:
        key = ""
        found = {}
        try:
            for key, item in value.items():
                found[key] = resolve(item)
        except _Unreadable as unreadable:
            unreadable.path.append(key)
            raise
        return found

    return map_


def _enum(reader: Node) -> Resolve:
    symbols, default = frozenset(reader.symbols), reader.default_symbol

    def enum(symbol: str) -> str:
        if symbol in symbols:
            return symbol
        if default is None:
            raise _Unreadable(f"{reader.name} has no symbol {symbol} and no default")
        return default

    return enum


def _refused(writer: Node, reader: Node) -> Resolve:
    named = " or ".join(each.name or each.form for each in reader.branches or [reader])
    return _raising(f"{writer.name or writer.form} can't be read as {named}")


def _raising(reason: str) -> Resolve:
    def refuse(_: Any) -> Any:
        raise _Unreadable(reason)

    return refuse
