"""Whether a field's default is a value of its type.

Source: Apache Avro 1.12 specification, "Complex Types", table of field default values; Apache
Avro for Java 1.12.1, `Schema.isValidDefault`. As Java has it, a union's default may belong to any
branch, and a record has no default within its own definition, where it would be without end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from relay.schema.compatibility.invalid import quoted
from relay.schema.compatibility.strictness import Strictness

__all__ = ["Defaults"]

_BOUNDS = {"int": 2**31, "long": 2**63}
# What Java's Double.valueOf reads.
_NUMBER = re.compile(
    r"[+-]?(NaN|Infinity"
    r"|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[fFdD]?"
    r"|0[xX]([0-9a-fA-F]+\.?|[0-9a-fA-F]*\.[0-9a-fA-F]+)[pP][+-]?\d+[fFdD]?)",
    re.ASCII,
)


class Defaults:
    """Looks at defaults while their schema is read.

    named: types by full name, as they are read. open_records: full names of records whose
    definition has not ended.
    """

    def __init__(
        self,
        named: Mapping[str, dict[str, Any]],
        open_records: set[str],
        strictness: Strictness,
    ) -> None:
        self._named = named
        self._open = open_records
        self._strictness = strictness

    def problem(self, kind: Any, default: Any) -> str:
        """What is wrong with the default of a field, empty when nothing is.

        kind: the field's type, with full names. It goes on with "the default of R.f".
        """
        if self._strictness is Strictness.STANDING:
            return ""
        exact = self._strictness is Strictness.SPECIFICATION
        if not exact and _is_number_in_quotes(kind, default):
            return ""
        try:
            return _Value(self._named, self._open, exact=exact).problem(kind, default)
        except _WithinItself as endless:
            return (
                f"holds {endless} within its own definition, where it can't be filled in: "
                "make it null or an empty list"
            )
        except RecursionError:
            return "is nested too deeply. Flatten it"


class _WithinItself(Exception):
    """The record of this name was to be filled in while that can't come to an end."""


class _Value:
    """Whether values fit types; each method answers what is wrong, the empty text when nothing is.

    exact: an enum's value is one of its symbols, a fixed has its size, and bytes are below 256.
    """

    def __init__(
        self, named: Mapping[str, dict[str, Any]], open_records: set[str], *, exact: bool
    ) -> None:
        self._named = named
        self._open = open_records
        self._exact = exact
        # Branches of a union may lead to the same types again, which would take time without
        # end for a default that is nested deeply. None: under way.
        self._known: dict[tuple[str, int], str | None] = {}

    def problem(self, schema: Any, value: Any) -> str:
        if isinstance(schema, list):
            return self._of_union(schema, value)
        if isinstance(schema, str):
            schema = self._named.get(schema, schema)
        kind = schema if isinstance(schema, str) else schema["type"]
        match kind:
            case "record" | "error" if isinstance(value, dict):
                return self._of_record(schema, value)
            case "array" if isinstance(value, list):
                return _first(self.problem(schema["items"], one) for one in value)
            case "map" if isinstance(value, dict):
                return _first(self.problem(schema["values"], one) for one in value.values())
        return "" if self._fits(kind, schema, value) else _no_value(value, schema)

    def _of_union(self, branches: list[Any], value: Any) -> str:
        deeper = ""
        for branch in branches:
            if not (problem := self.problem(branch, value)):
                return ""
            # Of the branches' reasons the one that goes deepest says most.
            if problem != _no_value(value, branch) and len(problem) > len(deeper):
                deeper = problem
        return deeper or _no_value(value, branches)

    def _of_record(self, schema: dict[str, Any], value: dict[str, Any]) -> str:
        name = schema["name"]
        key = (name, id(value))
        # The same record filled with the same value on the way to itself comes from defaults.
        if name in self._open or self._known.get(key, "") is None:
            raise _WithinItself(name)
        if key not in self._known:
            self._known[key] = None
            self._known[key] = _first(self._of_field(name, one, value) for one in schema["fields"])
        return self._known[key] or ""

    def _of_field(self, record: str, field: dict[str, Any], value: dict[str, Any]) -> str:
        if field["name"] in value:
            return self.problem(field["type"], value[field["name"]])
        if "default" in field:
            return self.problem(field["type"], field["default"])
        return f"lacks the field {field['name']!r} of {record}"

    def _fits(self, kind: str, schema: Any, value: Any) -> bool:
        match kind:
            case "null":
                return value is None
            case "boolean":
                return isinstance(value, bool)
            case "int" | "long":
                return type(value) is int and -_BOUNDS[kind] <= value < _BOUNDS[kind]
            case "float" | "double":
                return type(value) in (int, float)
            case "string":
                return isinstance(value, str)
            case "bytes":
                return self._is_bytes(value)
            case "fixed":
                return self._is_bytes(value) and not (self._exact and len(value) != schema["size"])
            case "enum":
                return isinstance(value, str) and not (
                    self._exact and value not in schema["symbols"]
                )
        return False

    def _is_bytes(self, value: Any) -> bool:
        return isinstance(value, str) and not (
            self._exact and any(ord(character) > 255 for character in value)
        )


def _is_number_in_quotes(kind: Any, default: Any) -> bool:
    # Java reads a text as the number that it spells, at a field of these types alone.
    name = kind["type"] if isinstance(kind, dict) else kind
    return (
        name in ("float", "double")
        and isinstance(default, str)
        and _NUMBER.fullmatch(default.strip()) is not None
    )


def _first(problems: Iterable[str]) -> str:
    return next((problem for problem in problems if problem), "")


def _no_value(value: Any, kind: Any) -> str:
    return f"is {quoted(value)}, which is no value of {_named(kind)}"


def _named(kind: Any) -> str:
    if isinstance(kind, list):
        return " or ".join(map(_named, kind)) or "an empty union"
    return kind if isinstance(kind, str) else str(kind.get("name") or kind["type"])
