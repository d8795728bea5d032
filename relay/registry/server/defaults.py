"""Whether a field's default is a value of its type.

Source: Apache Avro 1.12 specification, "Complex Types", table of field default values. A union's
default may belong to any branch, as Avro's own libraries have it since 1.12.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relay.registry.server.refusals import invalid_schema

__all__ = ["Declared", "check_default"]

_BOUNDS = {"int": 2**31, "long": 2**63}


@dataclass(frozen=True, slots=True)
class Declared:
    """A default as it stands in a schema.

    record: full name. field: normal form with `default`. path: JSON path of the default.
    """

    record: str
    field: dict[str, Any]
    path: str


def check_default(declared: Declared, named: Mapping[str, dict[str, Any]]) -> None:
    """Raises Refusal 42201 with the place when the default is no value of the field's type.

    named: normal forms of all named types. A record that is filled up by defaults for ever is
    no value either.
    """
    name = f"{declared.record}.{declared.field['name']}"
    problem = _Check(named).field(declared.record, declared.field, declared.field["default"])
    if problem:
        raise invalid_schema(f"{declared.path}: the default of {name} {problem}")


class _Check:
    """Each method answers what is wrong, the empty text when nothing is."""

    def __init__(self, named: Mapping[str, dict[str, Any]]) -> None:
        self._named = named
        self._filled: list[tuple[str, str]] = []

    def field(self, record: str, field: dict[str, Any], default: Any) -> str:
        """A field that is filled with its own default."""
        key = (record, field["name"])
        if key in self._filled:
            return "holds itself and never ends: make it null or an empty list"
        self._filled.append(key)
        try:
            return self.value(field["type"], default)
        finally:
            self._filled.pop()

    def value(self, schema: Any, value: Any) -> str:
        if isinstance(schema, list):
            problems = [self.value(branch, value) for branch in schema]
            # Of the branches' reasons the one that goes deepest says most.
            return "" if "" in problems else max(problems, key=len, default=_no_value(value, "[]"))
        if isinstance(schema, str) and schema in self._named:
            schema = self._named[schema]
        kind = schema if isinstance(schema, str) else schema["type"]
        match kind:
            case "record" | "error":
                return self._record(schema, value)
            case "array" if isinstance(value, list):
                return _first(self.value(schema["items"], one) for one in value)
            case "map" if isinstance(value, dict):
                return _first(self.value(schema["values"], one) for one in value.values())
        return "" if _fits(kind, schema, value) else _no_value(value, schema)

    def _record(self, schema: dict[str, Any], value: Any) -> str:
        if not isinstance(value, dict):
            return _no_value(value, schema)
        for field in schema["fields"]:
            if field["name"] in value:
                problem = self.value(field["type"], value[field["name"]])
            elif "default" in field:
                problem = self.field(schema["name"], field, field["default"])
            else:
                problem = f"lacks the field {field['name']!r} of {schema['name']}"
            if problem:
                return problem
        return ""


def _fits(kind: str, schema: Any, value: Any) -> bool:
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
            return _is_bytes(value)
        case "fixed":
            return _is_bytes(value) and len(value) == schema["size"]
        case "enum":
            return value in schema["symbols"]
    return False


def _is_bytes(value: Any) -> bool:
    return isinstance(value, str) and all(ord(character) < 256 for character in value)


def _first(problems: Any) -> str:
    return next((problem for problem in problems if problem), "")


def _no_value(value: Any, schema: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    kind = schema if isinstance(schema, str) else schema.get("name") or schema["type"]
    return f"is {text if len(text) <= 60 else text[:57] + '...'}, which is no value of {kind}"
