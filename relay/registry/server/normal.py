"""The normal form of a schema, and the place of the first mistake where it has one.

Two texts that say the same have one normal form: types by their full names, keys in one order,
nothing written out that is a matter of course.
Sources: Apache Avro 1.12 specification, "Schema Declaration" and "Names"; Confluent Schema
Registry documentation, "Schema Normalization".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from relay.registry.server.defaults import Declared, check_default
from relay.registry.server.refusals import invalid_schema

__all__ = ["normal_form"]

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
ORDERS = ("ascending", "descending", "ignore")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_LARGEST_SIZE = 2**31 - 1
# What the reader looks at itself; everything else is a property, which is kept as it is.
_OF_TYPES = frozenset({"type", "name", "namespace", "doc", "aliases"})
_OWN = {
    "record": {"fields"},
    "error": {"fields"},
    "enum": {"symbols", "default"},
    "fixed": {"size"},
}
_OF_FIELDS = frozenset({"type", "name", "doc", "aliases", "default", "order"})


def normal_form(text: str, referenced: Sequence[str] = (), *, new: bool = True) -> str:
    """Normal form of the schema of `text`, as JSON.

    referenced: texts whose named types it may use, each after those that it needs itself.
    new: whether defaults are checked, as for schemas that do not stand anywhere yet.
    Raises Refusal 42201 with the JSON path of the mistake, `$` for the schema itself.
    """
    reader = _Reader()
    try:
        for other in referenced:
            reader.read(json.loads(other), "", "$ of a schema that it refers to")
        reader.declared.clear()
        found = reader.read(json.loads(text), "", "$")
        if new:
            for declared in reader.declared:
                check_default(declared, reader.named)
    except RecursionError as error:
        raise invalid_schema("it is nested too deeply") from error
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False)


class _Reader:
    """Reads schemas that share their named types.

    named: normal forms by full name. declared: all defaults, in the order of the text.
    """

    def __init__(self) -> None:
        self.named: dict[str, dict[str, Any]] = {}
        self.declared: list[Declared] = []

    def read(self, schema: Any, namespace: str, path: str) -> Any:
        match schema:
            case str():
                return self._by_name(schema, namespace, path)
            case list():
                return self._union(schema, namespace, path)
            case {"type": str(kind)} if kind in _OWN:
                return self._named_type(kind, schema, namespace, path)
            case {"type": "array"}:
                return self._of_elements("array", "items", schema, namespace, path)
            case {"type": "map"}:
                return self._of_elements("map", "values", schema, namespace, path)
            case {"type": inner}:
                return self._wrapped(inner, schema, namespace, path)
            case dict():
                raise _mistake(path, "it has no 'type'")
        raise _mistake(path, f"{_short(schema)} is no type: give a name, an object or a list")

    def _by_name(self, name: str, namespace: str, path: str) -> str:
        if name in PRIMITIVES:
            return name
        for candidate in (_full_name(name, namespace), name):
            if candidate in self.named:
                return candidate
        raise _mistake(path, f"the type {_short(name)} is not known here")

    def _union(self, branches: list[Any], namespace: str, path: str) -> list[Any]:
        found = [
            self.read(branch, namespace, f"{path}[{index}]")
            for index, branch in enumerate(branches)
        ]
        seen: set[str] = set()
        for index, branch in enumerate(found):
            place = f"{path}[{index}]"
            if isinstance(branch, list):
                raise _mistake(place, "a union stands directly in a union")
            key = branch if isinstance(branch, str) else branch.get("name") or branch["type"]
            if key in seen:
                raise _mistake(place, f"the union has {key!r} twice")
            seen.add(key)
        return found

    def _wrapped(self, inner: Any, schema: dict[str, Any], namespace: str, path: str) -> Any:
        """A type in an object of its own, which may carry properties."""
        found = self.read(inner, namespace, f"{path}.type")
        properties = _properties(schema, {"type"})
        if isinstance(found, str) and found in PRIMITIVES and properties:
            return {"type": found, **properties}
        # Around another type they say nothing about it.
        return found

    def _of_elements(
        self, kind: str, key: str, schema: dict[str, Any], namespace: str, path: str
    ) -> dict[str, Any]:
        if key not in schema:
            raise _mistake(path, f"the {kind} has no {key!r}")
        elements = self.read(schema[key], namespace, f"{path}.{key}")
        return {"type": kind, key: elements, **_properties(schema, {"type", key})}

    def _named_type(
        self, kind: str, schema: dict[str, Any], namespace: str, path: str
    ) -> dict[str, Any]:
        name = schema.get("name")
        if not isinstance(name, str) or not name:
            raise _mistake(path, f"the {kind} has no 'name'")
        given = schema.get("namespace")
        if given is not None and not isinstance(given, str):
            raise _mistake(f"{path}.namespace", "it is no text")
        full = _full_name(name, namespace if given is None else given)
        _check_name(full, f"{path}.name")
        if full in PRIMITIVES:
            raise _mistake(f"{path}.name", f"{full!r} is the name of a primitive type")
        if full in self.named:
            raise _mistake(path, f"the type {full!r} is defined twice")
        inner = full.rpartition(".")[0]
        found: dict[str, Any] = {"type": kind, "name": full}
        self.named[full] = found
        if schema.get("doc"):
            found["doc"] = schema["doc"]
        if aliases := _aliases(schema, f"{path}.aliases", lambda one: _full_name(one, inner)):
            found["aliases"] = aliases
        match kind:
            case "enum":
                found.update(_enum(schema, path))
            case "fixed":
                found["size"] = _size(schema, path)
            case _:
                found["fields"] = self._fields(full, schema, inner, path)
        found.update(_properties(schema, _OF_TYPES | _OWN[kind]))
        return found

    def _fields(
        self, record: str, schema: dict[str, Any], namespace: str, path: str
    ) -> list[dict[str, Any]]:
        fields = schema.get("fields")
        if not isinstance(fields, list):
            raise _mistake(path, "the record has no list of 'fields'")
        seen: set[str] = set()
        found = []
        for index, field in enumerate(fields):
            place = f"{path}.fields[{index}]"
            if not isinstance(field, dict) or not isinstance(field.get("name"), str):
                raise _mistake(place, "the field has no 'name'")
            name = field["name"]
            if not _NAME.fullmatch(name):
                raise _mistake(f"{place}.name", f"{_short(name)} is no name")
            if name in seen:
                raise _mistake(place, f"the field {name!r} is listed twice")
            seen.add(name)
            found.append(self._field(record, field, namespace, place))
        return found

    def _field(
        self, record: str, field: dict[str, Any], namespace: str, path: str
    ) -> dict[str, Any]:
        if "type" not in field:
            raise _mistake(path, f"the field {field['name']!r} has no 'type'")
        found: dict[str, Any] = {"name": field["name"]}
        found["type"] = self.read(field["type"], namespace, f"{path}.type")
        if "default" in field:
            found["default"] = field["default"]
            self.declared.append(Declared(record, found, f"{path}.default"))
        if (order := field.get("order", ORDERS[0])) not in ORDERS:
            raise _mistake(f"{path}.order", f"{_short(order)} is none of {', '.join(ORDERS)}")
        if order != ORDERS[0]:
            found["order"] = order
        if field.get("doc") is not None:
            found["doc"] = field["doc"]
        if aliases := _aliases(field, f"{path}.aliases", str):
            found["aliases"] = aliases
        found.update(_properties(field, _OF_FIELDS))
        return found


def _enum(schema: dict[str, Any], path: str) -> dict[str, Any]:
    symbols = schema.get("symbols")
    if not isinstance(symbols, list):
        raise _mistake(path, "the enum has no list of 'symbols'")
    seen: set[str] = set()
    for index, symbol in enumerate(symbols):
        place = f"{path}.symbols[{index}]"
        if not isinstance(symbol, str) or not _NAME.fullmatch(symbol):
            raise _mistake(place, f"{_short(symbol)} is no name")
        if symbol in seen:
            raise _mistake(place, f"the symbol {symbol!r} is listed twice")
        seen.add(symbol)
    if (default := schema.get("default")) is None:
        return {"symbols": symbols}
    if default not in symbols:
        raise _mistake(f"{path}.default", f"{_short(default)} is none of the symbols")
    return {"symbols": symbols, "default": default}


def _size(schema: dict[str, Any], path: str) -> int:
    size = schema.get("size")
    if type(size) is not int or not 0 <= size <= _LARGEST_SIZE:
        raise _mistake(f"{path}.size", f"{_short(size)} is no number of bytes")
    return size


def _aliases(schema: dict[str, Any], path: str, full: Callable[[str], str]) -> list[str]:
    aliases = schema.get("aliases") or []
    if not isinstance(aliases, list) or not all(isinstance(one, str) for one in aliases):
        raise _mistake(path, "they are no list of names")
    return sorted({full(one) for one in aliases})


def _properties(schema: dict[str, Any], without: Iterable[str]) -> dict[str, Any]:
    taken = {*without, "scale"} if schema.get("scale") == 0 else set(without)
    return {key: schema[key] for key in sorted(schema.keys() - taken)}


def _full_name(name: str, namespace: str) -> str:
    if "." in name:
        return name.removeprefix(".")
    return f"{namespace}.{name}" if namespace else name


def _check_name(full: str, path: str) -> None:
    if not all(_NAME.fullmatch(part) for part in full.split(".")):
        raise _mistake(path, f"{_short(full)} is no name")


def _mistake(path: str, problem: str) -> Exception:
    return invalid_schema(f"{path}: {problem}")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
