"""Strict natural JSON to Avro binary, by Python source that is generated from the schema.

The generated code is the fast path only. Where a value is unusual (a very long string, an offset
that is not UTC, an unknown field) it raises, and `slow_path` encodes the payload again: it returns
the right bytes or raises an error that names the place. So the generated code may be short, but
must never accept what `slow_path` refuses.
"""

# All writers of source share one signature, whether they need every argument or not.
# ruff: noqa: ARG002

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import count
from typing import Any

import orjson

from relay.errors import PayloadInvalid
from relay.schema.avro.caches import MICRO, MILLI, SECONDS, UTC_ENDS, Remembered
from relay.schema.avro.defaults import default_bytes
from relay.schema.avro.depth import DEEPEST_WRITTEN, is_recursive, json_too_deep
from relay.schema.avro.fingerprint import schema_text
from relay.schema.avro.json_text import exact_json
from relay.schema.avro.nodes import ABSENT, STRING, Field, Node, Schema, types_of
from relay.schema.avro.parse import read_schema
from relay.schema.avro.scalars import scalar
from relay.schema.avro.slow_path import encode_slowly
from relay.schema.avro.varint import MIDDLE, SMALL, long_bytes

__all__ = ["Encoder", "compile_encoder", "compile_text_encoder"]

Encoder = Callable[[Any], bytes]


def compile_encoder(schema: Schema) -> Encoder:
    """A function from natural JSON (what orjson.loads gives) to Avro binary without header.

    schema: JSON of the schema as parsed from an .avsc file. Equal schemas share one encoder.
    Rules of the payload: timestamps are RFC 3339 strings with an offset (local ones without),
    dates and times of day ISO 8601, decimals strings such as "12.50" that fit scale and precision
    without rounding, enums and uuids strings, bytes base64, unions untagged where one branch fits;
    digits of times below the schema's unit are cut;
    a field with a default may be absent, an unknown field is refused. float and double take
    finite numbers, whole ones as far as they are exact; a float is the nearest of 32 bits.
    Recursive types may nest 200 levels.
    The function raises PayloadInvalid with the JSON path. It may be called from any thread.
    Raises CatalogInvalid when it is not an Avro schema.
    """
    return _compile(schema_text(schema))


def compile_text_encoder(schema: Schema) -> Callable[[str | bytes], bytes]:
    """Like `compile_encoder`, for the JSON text of a payload. Raises ValueError if it is not JSON.

    Numbers of any length are read exactly where the schema has a float or double.
    """
    encode = compile_encoder(schema)
    floating = any(node.kind in {"float", "double"} for node in types_of(read_schema(schema)))
    loads = exact_json if floating else orjson.loads
    return lambda text: encode(loads(text))


@lru_cache(maxsize=1024)
def _compile(text: bytes) -> Encoder:
    root = read_schema(orjson.loads(text))
    source = _EncoderSource()
    code = compile(source.text(root), f"<encoder of {root.name or root.kind}>", "exec")
    space: dict[str, Any] = {**source.constants, "encode_slowly": partial(encode_slowly, root)}
    exec(code, space)
    encode: Encoder = space["encode"]
    return _bounded(encode) if is_recursive(root) else encode


def _bounded(encode: Encoder) -> Encoder:
    def encode_bounded(value: Any) -> bytes:
        if json_too_deep(value):
            raise PayloadInvalid(
                "$", f"nested too deeply, beyond {DEEPEST_WRITTEN} levels. Flatten the payload"
            )
        return encode(value)

    return encode_bounded


class _EncoderSource:
    """Writes the functions of one schema: one for each record, and for items of arrays and maps.

    Methods named after a type add the statements that check a variable, and return the
    expressions of its bytes, in order.
    """

    def __init__(self) -> None:
        self.constants: dict[str, Any] = {
            "MICRO": MICRO,
            "MIDDLE": MIDDLE,
            "MILLI": MILLI,
            "SMALL": SMALL,
            "UTC_ENDS": UTC_ENDS,
            "join": b"".join,
            "long_bytes": long_bytes,
        }
        self._lines: list[str] = []
        self._indent = ""
        self._numbers = count()
        self._functions: dict[Node, str] = {}
        self._waiting: list[tuple[str, Node]] = []

    def text(self, root: Node) -> str:
        """Source of the module: `encode(value)` and the functions that it calls."""
        self._add("def encode(value):", "    whole = value", "    try:")
        # The root's code is inside encode: one call less for each event.
        with self._indented(levels=2):
            self._add(f"return {_joined(self._emit(root, 'value'))}")
        self._add("    except Exception:", "        return encode_slowly(whole)")
        while self._waiting:
            name, node = self._waiting.pop()
            self._add(f"def {name}(value):")
            with self._indented():
                self._add(f"return {_joined(self._emit(node, 'value'))}")
        return "\n".join(self._lines)

    def _add(self, *lines: str) -> None:
        self._lines += [self._indent + line for line in lines]

    @contextmanager
    def _indented(self, levels: int = 1) -> Iterator[None]:
        outer = self._indent
        self._indent += "    " * levels
        yield
        self._indent = outer

    def _constant(self, prefix: str, value: Any) -> str:
        name = f"{prefix}{next(self._numbers)}"
        self.constants[name] = value
        return name

    def _function(self, node: Node) -> str:
        if node not in self._functions:
            self._functions[node] = name = f"encode_{next(self._numbers)}"
            self._waiting.append((name, node))
        return self._functions[node]

    def _emit(self, node: Node, var: str) -> list[str]:
        write = {
            "record": self._record,
            "array": self._array,
            "map": self._map,
            "union": self._union,
            "string": self._string,
            "int": self._integer,
            "long": self._integer,
            "boolean": self._boolean,
            "enum": self._enum,
            "timestamp-millis": self._timestamp,
            "timestamp-micros": self._timestamp,
        }.get(node.form, self._other)
        return write(node, var)

    def _record(self, node: Node, var: str) -> list[str]:
        self._add(f"if type({var}) is not dict: raise ValueError")
        # Known fields are counted: if the dict has more, one of them is unknown.
        required = sum(field.default is ABSENT for field in node.fields)
        total = str(required)
        if required < len(node.fields):
            total = f"n{next(self._numbers)}"
            self._add(f"{total} = {required}")
        pieces: list[str] = []
        for field in node.fields:
            pieces += self._field(field, var, total)
        self._add(f"if len({var}) != {total}: raise ValueError")
        return pieces

    def _field(self, field: Field, var: str, total: str) -> list[str]:
        inner = f"v{next(self._numbers)}"
        if field.default is ABSENT:
            self._add(f"{inner} = {var}[{field.name!r}]")
            return self._value(field.node, inner)
        out = f"b{next(self._numbers)}"
        default = self._constant("DEFAULT", default_bytes(field.node, field.default))
        self._add(f"if {field.name!r} in {var}:")
        with self._indented():
            self._add(f"{total} += 1", f"{inner} = {var}[{field.name!r}]")
            self._add(f"{out} = {_joined(self._value(field.node, inner))}")
        self._add(f"else: {out} = {default}")
        return [out]

    def _value(self, node: Node, var: str) -> list[str]:
        if node.form == "record":
            return [f"{self._function(node)}({var})"]
        return self._emit(node, var)

    def _array(self, node: Node, var: str) -> list[str]:
        self._add(f"if type({var}) is not list: raise ValueError")
        items = f"map({self._function(node.element)}, {var})"
        return [f"(long_bytes(len({var})) + join({items}) + b'\\x00' if {var} else b'\\x00')"]

    def _map(self, node: Node, var: str) -> list[str]:
        self._add(f"if type({var}) is not dict: raise ValueError")
        key, item = self._function(STRING), self._function(node.element)
        items = f"[{key}(k) + {item}(i) for k, i in {var}.items()]"
        return [f"(long_bytes(len({var})) + join({items}) + b'\\x00' if {var} else b'\\x00')"]

    def _union(self, node: Node, var: str) -> list[str]:
        kinds = [branch.kind for branch in node.branches]
        if len(kinds) != 2 or "null" not in kinds:
            return [f"{self._constant('UNION', partial(encode_slowly, node))}({var})"]
        empty = kinds.index("null")
        out = f"b{next(self._numbers)}"
        self._add(f"if {var} is None: {out} = {bytes((2 * empty,))!r}", "else:")
        with self._indented():
            pieces = self._value(node.branches[1 - empty], var)
            self._add(f"{out} = {_joined([repr(bytes((2 - 2 * empty,))), *pieces])}")
        return [out]

    def _string(self, node: Node, var: str) -> list[str]:
        # Of all JSON values only strings have encode; more than 8191 bytes raise IndexError.
        self._add(f"{var} = {var}.encode()")
        return [f"SMALL[len({var})]", var]

    def _integer(self, node: Node, var: str) -> list[str]:
        slow = self._constant("SCALAR", scalar(node))
        return [f"(SMALL[{var}] if type({var}) is int and 0 <= {var} < 8192 else {slow}({var}))"]

    def _boolean(self, node: Node, var: str) -> list[str]:
        self._add(f"if type({var}) is not bool: raise ValueError")
        return [f"(b'\\x01' if {var} else b'\\x00')"]

    def _enum(self, node: Node, var: str) -> list[str]:
        table = {symbol: long_bytes(index) for index, symbol in enumerate(node.symbols)}
        return [f"{self._constant('ENUM', table)}[{var}]"]

    def _timestamp(self, node: Node, var: str) -> list[str]:
        """Inline for `...SS.fff` or `...SS.ffffff` in UTC, whichever has the digits of the unit."""
        unit = node.form.removeprefix("timestamp-")
        end, fraction = 23, f"MICRO[{var}[20:23]]"
        if unit == "micros":
            end, fraction = 26, f"MILLI[{var}[20:23]] + MICRO[{var}[23:26]]"
        number = next(self._numbers)
        low, high, carried, out = (f"{name}{number}" for name in ("low", "high", "carried", "t"))
        seconds = self._constant("SECOND", SECONDS[unit])
        self._add(
            f"if {var}[{end}:] in UTC_ENDS and {var}[19] == '.':",
            f"    {low}, {high}, {carried} = {seconds}[{var}[:19]]",
            f"    {low} += {fraction}",
            f"    if {low} >= {2**28}: {low} -= {2**28}; {high} = {carried}",
            f"    {out} = MIDDLE[{low} & 16383] + MIDDLE[{low} >> 14] + {high}",
            f"else: {out} = {self._constant('SCALAR', scalar(node))}({var})",
        )
        return [out]

    def _other(self, node: Node, var: str) -> list[str]:
        encode = scalar(node)
        if node.form in {"decimal", "date"}:
            # Prices and days repeat; a dict of them is faster than reading the string.
            return [f"{self._constant('SEEN', Remembered(encode))}[{var}]"]
        return [f"{self._constant('SCALAR', encode)}({var})"]


def _joined(pieces: list[str]) -> str:
    if not pieces:
        return "b''"
    # Up to three pieces + is faster than a tuple and a call.
    return " + ".join(pieces) if len(pieces) <= 3 else f"join(({', '.join(pieces)}))"
