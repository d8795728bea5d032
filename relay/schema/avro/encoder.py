"""Strict natural JSON to Avro binary, by Python source that is generated from the schema.

The generated code takes the common road only: where a value is out of the ordinary (a very long
string, an offset that is not UTC, an unknown field) it stops and `Careful` does the payload again,
either with the right bytes or with an error that names the place. So the generated code may be
short, but must never accept what `Careful` refuses.
"""

# All writers of source share one signature, whether they need every argument or not.
# ruff: noqa: ARG002

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from itertools import count
from typing import Any

import orjson

from relay.errors import PayloadInvalid
from relay.schema.avro.careful import Careful
from relay.schema.avro.defaults import default_bytes
from relay.schema.avro.depth import DEEPEST_WRITTEN, is_recursive, json_too_deep
from relay.schema.avro.fingerprint import schema_text
from relay.schema.avro.nodes import ABSENT, STRING, Field, Node, Schema
from relay.schema.avro.parse import read_schema
from relay.schema.avro.scalars import Remembered, scalar
from relay.schema.avro.times import instant
from relay.schema.avro.varint import LAST, MIDDLE, SMALL, long_bytes

__all__ = ["compile_encoder", "encoder_source"]

Encoder = Callable[[Any], bytes]

# Three digits of a fraction as zig-zag has them, doubled: thousandths and millionths.
MICRO = {f"{n:03d}": 2 * n for n in range(1000)}
MILLI = {f"{n:03d}": 2000 * n for n in range(1000)}
UTC_ENDS = frozenset({"Z", "+00:00"})


def compile_encoder(schema: Schema) -> Encoder:
    """A function from natural JSON (what orjson.loads gives) to Avro binary without header.

    schema: JSON of the schema as parsed from an .avsc file. Equal schemas share one encoder.
    Rules of the payload: timestamps are RFC 3339 strings with an offset (local ones without),
    dates and times of day ISO 8601, decimals strings such as "12.50" that fit scale and precision
    without rounding, enums and uuids strings, bytes base64, unions untagged where one branch fits;
    a field with a default may be absent, an unknown field is refused. float and double take
    finite numbers, whole ones as far as they are exact; a float is the nearest of 32 bits. Types
    that hold themselves may nest 200 levels.
    The function raises PayloadInvalid, whose path names the place. It may be called from any
    thread.
    Raises CatalogInvalid when the schema is none, or uses the logical type `duration`.
    """
    return _compile(schema_text(schema))


def encoder_source(schema: Schema) -> str:
    """The generated Python source, for reading and for tests."""
    return _Source(read_schema(schema)).text()


@lru_cache(maxsize=1024)
def _compile(text: bytes) -> Encoder:
    root = read_schema(orjson.loads(text))
    source = _Source(root)
    code = compile(source.text(), f"<encoder of {root.name or root.kind}>", "exec")
    careful = partial(Careful().encode, root)
    space: dict[str, Any] = {**source.constants, "careful": careful}
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


class _Second(dict[str, tuple[int, bytes, bytes]]):
    """`YYYY-MM-DDTHH:MM:SS` in UTC to the encoded count of that second, cut at its 28th bit.

    The lower part is a number that the fraction is added to, small enough for the interpreter's
    fast arithmetic; the upper part is bytes, once as it is and once for a carry. Events share
    seconds, so both are remembered.
    """

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def __missing__(self, text: str) -> tuple[int, bytes, bytes]:
        high, low = divmod(instant(f"{text}Z", self._unit) << 1, 2**28)
        if not 0 < high < 2**28 - 1:
            raise ValueError("too near to 1970 or too far away for this short cut")
        if len(self) >= 4096:
            self.clear()
        parts = self[text] = (low, _upper(high), _upper(high + 1))
        return parts


def _upper(rest: int) -> bytes:
    return LAST[rest] if rest < 2**14 else MIDDLE[rest & 0x3FFF] + LAST[rest >> 14]


SECONDS = {unit: _Second(unit) for unit in ("millis", "micros")}


class _Source:
    """Writes the functions of one schema: one a record, and one for items of arrays and maps."""

    def __init__(self, root: Node) -> None:
        self.constants: dict[str, Any] = {
            "MICRO": MICRO,
            "MIDDLE": MIDDLE,
            "MILLI": MILLI,
            "SMALL": SMALL,
            "UTC_ENDS": UTC_ENDS,
            "join": b"".join,
            "long_bytes": long_bytes,
        }
        self._root = root
        self._numbers = count()
        self._functions: dict[Node, str] = {}
        self._waiting: list[tuple[str, Node]] = []

    def text(self) -> str:
        """Source of the module: `encode(value)` and what it calls."""
        lines = ["def encode(value):", "    try:"]
        # The root stands inside encode: a call less for each event.
        pieces = self._emit(self._root, "value", lines, "        ")
        lines += [
            f"        return {_joined(pieces)}",
            "    except Exception:",
            "        return careful(whole)",
        ]
        lines.insert(1, "    whole = value")
        parts = ["\n".join(lines) + "\n"]
        while self._waiting:
            parts.append(self._write(*self._waiting.pop()))
        return "\n".join(parts)

    def _constant(self, prefix: str, value: Any) -> str:
        name = f"{prefix}{next(self._numbers)}"
        self.constants[name] = value
        return name

    def _function(self, node: Node) -> str:
        if node not in self._functions:
            self._functions[node] = name = f"encode_{next(self._numbers)}"
            self._waiting.append((name, node))
        return self._functions[node]

    def _write(self, name: str, node: Node) -> str:
        lines = [f"def {name}(value):"]
        pieces = self._emit(node, "value", lines, "    ")
        lines.append(f"    return {_joined(pieces)}")
        return "\n".join(lines) + "\n"

    def _emit(self, node: Node, var: str, lines: list[str], indent: str) -> list[str]:
        """Adds the statements that check `var`; gives the expressions of its bytes, in order."""
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
        return write(node, var, lines, indent)

    def _record(self, node: Node, var: str, lines: list[str], indent: str) -> list[str]:
        lines.append(f"{indent}if type({var}) is not dict: raise ValueError")
        # Every known field is counted, so that a field more is an unknown one.
        known = sum(field.default is ABSENT for field in node.fields)
        optional = known < len(node.fields)
        total = f"n{next(self._numbers)}" if optional else str(known)
        if optional:
            lines.append(f"{indent}{total} = {known}")
        pieces: list[str] = []
        for field in node.fields:
            pieces += self._field(field, var, total, lines, indent)
        lines.append(f"{indent}if len({var}) != {total}: raise ValueError")
        return pieces

    def _field(
        self, field: Field, var: str, total: str, lines: list[str], indent: str
    ) -> list[str]:
        inner = f"v{next(self._numbers)}"
        if field.default is ABSENT:
            lines.append(f"{indent}{inner} = {var}[{field.name!r}]")
            return self._value(field.node, inner, lines, indent)
        lines.append(f"{indent}if {field.name!r} in {var}:")
        lines.append(f"{indent}    {total} += 1")
        lines.append(f"{indent}    {inner} = {var}[{field.name!r}]")
        pieces = self._value(field.node, inner, lines, f"{indent}    ")
        out = f"b{next(self._numbers)}"
        lines.append(f"{indent}    {out} = {_joined(pieces)}")
        default = self._constant("DEFAULT", default_bytes(field.node, field.default))
        lines.append(f"{indent}else: {out} = {default}")
        return [out]

    def _value(self, node: Node, var: str, lines: list[str], indent: str) -> list[str]:
        if node.form == "record":
            return [f"{self._function(node)}({var})"]
        return self._emit(node, var, lines, indent)

    def _array(self, node: Node, var: str, lines: list[str], indent: str) -> list[str]:
        lines.append(f"{indent}if type({var}) is not list: raise ValueError")
        item = self._function(node.element)
        body = f"long_bytes(len({var})) + join(map({item}, {var})) + b'\\x00'"
        return [f"({body} if {var} else b'\\x00')"]

    def _map(self, node: Node, var: str, lines: list[str], indent: str) -> list[str]:
        lines.append(f"{indent}if type({var}) is not dict: raise ValueError")
        key, item = self._function(STRING), self._function(node.element)
        each = f"[{key}(k) + {item}(i) for k, i in {var}.items()]"
        return [f"(long_bytes(len({var})) + join({each}) + b'\\x00' if {var} else b'\\x00')"]

    def _union(self, node: Node, var: str, lines: list[str], indent: str) -> list[str]:
        kinds = [branch.kind for branch in node.branches]
        if len(kinds) == 2 and "null" in kinds:
            empty = kinds.index("null")
            out = f"b{next(self._numbers)}"
            lines.append(f"{indent}if {var} is None: {out} = {bytes((2 * empty,))!r}")
            lines.append(f"{indent}else:")
            inner = f"{indent}    "
            pieces = self._value(node.branches[1 - empty], var, lines, inner)
            lines.append(f"{inner}{out} = {_joined([repr(bytes((2 - 2 * empty,))), *pieces])}")
            return [out]
        return [f"{self._constant('UNION', partial(Careful().encode, node))}({var})"]

    def _string(self, node: Node, var: str, lines: list[str], indent: str) -> list[str]:
        # Of all JSON values only strings have encode; more than 8191 bytes raise IndexError.
        lines.append(f"{indent}{var} = {var}.encode()")
        return [f"SMALL[len({var})]", var]

    def _integer(self, node: Node, var: str, lines: list[str], indent: str) -> list[str]:
        slow = self._constant("SCALAR", scalar(node))
        return [f"(SMALL[{var}] if type({var}) is int and 0 <= {var} < 8192 else {slow}({var}))"]

    def _boolean(self, node: Node, var: str, lines: list[str], indent: str) -> list[str]:
        lines.append(f"{indent}if type({var}) is not bool: raise ValueError")
        return [f"(b'\\x01' if {var} else b'\\x00')"]

    def _enum(self, node: Node, var: str, lines: list[str], indent: str) -> list[str]:
        table = {symbol: long_bytes(index) for index, symbol in enumerate(node.symbols)}
        return [f"{self._constant('ENUM', table)}[{var}]"]

    def _timestamp(self, node: Node, var: str, lines: list[str], indent: str) -> list[str]:
        """Inline for `...SS.fff` or `...SS.ffffff` in UTC, whichever is the unit's own length."""
        unit = node.form.removeprefix("timestamp-")
        end = 26 if unit == "micros" else 23
        number = next(self._numbers)
        low, high, carried, out = (f"{name}{number}" for name in ("low", "high", "carried", "t"))
        fraction = f"MICRO[{var}[20:23]]"
        if unit == "micros":
            fraction = f"MILLI[{var}[20:23]] + MICRO[{var}[23:26]]"
        lines += [
            f"{indent}if {var}[{end}:] in UTC_ENDS and {var}[19] == '.':",
            f"{indent}    {low}, {high}, {carried} = {self._second(unit)}[{var}[:19]]",
            f"{indent}    {low} += {fraction}",
            f"{indent}    if {low} >= {2**28}: {low} -= {2**28}; {high} = {carried}",
            f"{indent}    {out} = MIDDLE[{low} & 16383] + MIDDLE[{low} >> 14] + {high}",
            f"{indent}else: {out} = {self._constant('SCALAR', scalar(node))}({var})",
        ]
        return [out]

    def _second(self, unit: str) -> str:
        name = f"SECOND_{unit}"
        self.constants.setdefault(name, SECONDS[unit])
        return name

    def _other(self, node: Node, var: str, lines: list[str], indent: str) -> list[str]:
        encode = scalar(node)
        if node.form in {"decimal", "date"}:
            # Prices and days come again; a dict of them is faster than reading the text.
            return [f"{self._constant('SEEN', Remembered(encode))}[{var}]"]
        return [f"{self._constant('SCALAR', encode)}({var})"]


def _joined(pieces: list[str]) -> str:
    if not pieces:
        return "b''"
    # Up to three pieces + is faster than a tuple and a call.
    return " + ".join(pieces) if len(pieces) <= 3 else f"join(({', '.join(pieces)}))"
