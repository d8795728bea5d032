"""Defaults of fields: checks that they fit the type, and encodes them.

Source: Apache Avro 1.12 specification, "Complex Types", table of field default values; Apache
Avro for Java 1.12.1, `Schema.isValidDefault`. As in Java, a union's default may belong to any
branch, and a record must not contain itself in a default, which would be endless.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Set
from typing import Any

from relay.errors import CatalogInvalid
from relay.schema.avro.invalid import quoted
from relay.schema.avro.names import Strictness
from relay.schema.avro.nodes import ABSENT, Field, Node
from relay.schema.avro.varint import block, long_bytes, sized

__all__ = ["default_bytes", "default_problem"]

_BOUNDS = {"int": 2**31, "long": 2**63}
# What Java's Double.valueOf reads.
_NUMBER = re.compile(
    r"[+-]?(NaN|Infinity"
    r"|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[fFdD]?"
    r"|0[xX]([0-9a-fA-F]+\.?|[0-9a-fA-F]*\.[0-9a-fA-F]+)[pP][+-]?\d+[fFdD]?)",
    re.ASCII,
)


def default_problem(
    node: Node, default: Any, open_records: Set[str], strictness: Strictness
) -> str:
    """Returns what is wrong with the default of a field, empty when nothing is.

    open_records: names of the records whose definition has not ended. The result continues the
    sentence "the default of R.f ...".
    """
    if strictness is Strictness.STANDING:
        return ""
    exact = strictness is Strictness.SPECIFICATION
    if not exact and _is_number_in_quotes(node, default):
        return ""
    try:
        return _Values(open_records, exact=exact).problem(node, default)
    except _WithinItself as endless:
        return (
            f"contains {endless} within its own definition, which would be endless. "
            "Make it null or an empty list"
        )
    except RecursionError:
        return "is nested too deeply. Flatten it"


def default_bytes(node: Node, default: Any) -> bytes:
    """Encodes a default.

    default: physical values: timestamps are numbers, bytes and decimals are strings of the
    code points 0-255; a union's default belongs to the first branch that it fits.
    Raises CatalogInvalid when it does not fit the type.
    """
    values = _Values(frozenset(), exact=True)
    try:
        if problem := values.problem(node, default):
            raise CatalogInvalid(f"the default {problem}. Correct it")
        return _encode(node, default, values)
    except (UnicodeEncodeError, struct.error, OverflowError) as error:
        raise CatalogInvalid(
            f"the default {quoted(default)} does not fit {node.name or node.form}: {error}. "
            "Correct it"
        ) from error
    except (_WithinItself, RecursionError):
        raise CatalogInvalid(
            f"the default {quoted(default)} of {node.name or node.form} is endless: a field in it "
            "has the same default again. Give that field another default"
        ) from None


class _WithinItself(Exception):
    """A default contains the record of this name endlessly."""


class _Values:
    """Checks values; methods return what is wrong, empty when nothing is.

    exact: requires symbols of the enum, the size of the fixed, and bytes below 256.
    """

    def __init__(self, open_records: Set[str], *, exact: bool) -> None:
        self._open = open_records
        self._exact = exact
        # Branches of unions lead to the same types again, which would take exponential time
        # for a deeply nested default. None: in progress.
        self._known: dict[tuple[str, int], str | None] = {}

    def problem(self, node: Node, value: Any) -> str:
        match node.kind:
            case "union":
                return self._of_union(node, value)
            case "record" if isinstance(value, dict):
                return self._of_record(node, value)
            case "array" if isinstance(value, list):
                return _first(self.problem(node.element, item) for item in value)
            case "map" if isinstance(value, dict):
                return _first(self.problem(node.element, item) for item in value.values())
        return "" if self._fits(node, value) else _not_a_value(value, node)

    def _of_union(self, node: Node, value: Any) -> str:
        deeper = ""
        for branch in node.branches:
            if not (problem := self.problem(branch, value)):
                return ""
            # The reason from the deepest place explains most.
            if problem != _not_a_value(value, branch) and len(problem) > len(deeper):
                deeper = problem
        return deeper or _not_a_value(value, node)

    def _of_record(self, node: Node, value: dict[str, Any]) -> str:
        key = (node.name, id(value))
        # The same record and value again, on the way to itself, come from defaults.
        if node.name in self._open or self._known.get(key, "") is None:
            raise _WithinItself(node.name)
        if key not in self._known:
            self._known[key] = None
            self._known[key] = _first(self._of_field(node, field, value) for field in node.fields)
        return self._known[key] or ""

    def _of_field(self, record: Node, field: Field, value: dict[str, Any]) -> str:
        given = value.get(field.name, field.default)
        if given is ABSENT:
            return f"lacks the field {field.name!r} of {record.name}"
        return self.problem(field.node, given)

    def _fits(self, node: Node, value: Any) -> bool:
        match node.kind:
            case "null":
                return value is None
            case "boolean":
                return isinstance(value, bool)
            case "int" | "long" as kind:
                return type(value) is int and -_BOUNDS[kind] <= value < _BOUNDS[kind]
            case "float" | "double":
                return type(value) in (int, float)
            case "string":
                return isinstance(value, str)
            case "bytes":
                return self._is_bytes(value)
            case "fixed":
                return self._is_bytes(value) and not (self._exact and len(value) != node.size)
            case "enum":
                return isinstance(value, str) and not (self._exact and value not in node.symbols)
        return False

    def _is_bytes(self, value: Any) -> bool:
        return isinstance(value, str) and not (
            self._exact and any(ord(character) > 255 for character in value)
        )


def _encode(node: Node, value: Any, values: _Values) -> bytes:
    """Encodes a value that fits its type."""
    match node.kind:
        case "fixed":
            return _latin(value)
        case "enum":
            return long_bytes(node.symbols.index(value))
        case "record":
            return b"".join(
                _encode(field.node, value.get(field.name, field.default), values)
                for field in node.fields
            )
        case "union":
            fitting = (n for n, b in enumerate(node.branches) if not values.problem(b, value))
            index = next(fitting)
            return long_bytes(index) + _encode(node.branches[index], value, values)
        case "array":
            items = [_encode(node.element, item, values) for item in value]
        case "map":
            items = [
                sized(key.encode()) + _encode(node.element, item, values)
                for key, item in value.items()
            ]
        case kind:
            return _PRIMITIVES[kind](value)
    return block(items)


def _latin(value: str) -> bytes:
    return value.encode("latin-1")


_PRIMITIVES: dict[str, Callable[[Any], bytes]] = {
    "null": lambda _: b"",
    "boolean": lambda value: bytes((value,)),
    "int": long_bytes,
    "long": long_bytes,
    "float": struct.Struct("<f").pack,
    "double": struct.Struct("<d").pack,
    "string": lambda value: sized(value.encode()),
    "bytes": lambda value: sized(_latin(value)),
}


def _is_number_in_quotes(node: Node, default: Any) -> bool:
    # Java reads a string as a number, directly at fields of these types only.
    return (
        node.kind in ("float", "double")
        and isinstance(default, str)
        and _NUMBER.fullmatch(default.strip()) is not None
    )


def _first(problems: Iterable[str]) -> str:
    return next((problem for problem in problems if problem), "")


def _not_a_value(value: Any, node: Node) -> str:
    return f"is {quoted(value)}, which is not a value of {_named(node)}"


def _named(node: Node) -> str:
    if node.kind == "union":
        return " or ".join(map(_named, node.branches)) or "an empty union"
    return node.name or node.kind
