"""Reads the JSON of a schema: every name is made a full one, and what is wrong has its place.

A name is defined before it is referred to, as the specification has it, and once; Java from 1.12
also looks further on, and takes a second definition that is equal to the first.

Source: Apache Avro 1.12 specification, "Schema Declaration" and "Names"; Apache Avro for Java
1.12.1, `Schema.parse`.
"""

from __future__ import annotations

from typing import Any

from relay.schema.avro.nodes import full_name
from relay.schema.compatibility.defaults import Defaults
from relay.schema.compatibility.invalid import SchemaInvalid, quoted
from relay.schema.compatibility.names import is_full_name, is_name
from relay.schema.compatibility.properties import (
    check_aliases,
    check_aliases_of_type,
    check_order,
    check_size,
    check_symbols,
)
from relay.schema.compatibility.strictness import Strictness

__all__ = ["NAMED", "PRIMITIVES", "Reader"]

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
NAMED = frozenset({"record", "error", "enum", "fixed"})
_ELEMENTS = {"array": "items", "map": "values"}


class Reader:
    """Reads one schema.

    named: types by full name that it may refer to, as readers have read them; those that it
    defines are added.
    """

    def __init__(self, named: dict[str, dict[str, Any]], strictness: Strictness) -> None:
        self._named = named
        self._strictness = strictness
        # Records whose definition has not ended.
        self._open: set[str] = set()
        self._defaults = Defaults(named, self._open, strictness)

    def read(self, schema: Any, namespace: str, path: str) -> Any:
        """A copy in which names and references are full, and no `namespace` is left.

        path: JSON path of `schema`. Raises SchemaInvalid at the first mistake, in the order of
        the text, and RecursionError when it is nested too deeply.
        """
        if isinstance(schema, str):
            return self._reference(schema, namespace, path)
        if isinstance(schema, list):
            return self._union(schema, namespace, path)
        if not isinstance(schema, dict):
            raise SchemaInvalid(
                path, f"{quoted(schema)} is no type. Give a name, an object or a list"
            )
        if "type" not in schema:
            raise SchemaInvalid(path, "it has no 'type'. Give one")
        kind = schema["type"]
        if not isinstance(kind, str):
            raise SchemaInvalid(f"{path}.type", f"{quoted(kind)} is no name of a type. Name one")
        if kind in PRIMITIVES:
            return schema
        if kind in NAMED:
            return self._definition(kind, schema, namespace, path)
        if key := _ELEMENTS.get(kind):
            if key not in schema:
                raise SchemaInvalid(path, f"the {kind} has no {key!r}. Say what it holds")
            return {**schema, key: self.read(schema[key], namespace, f"{path}.{key}")}
        # Java takes a reference in an object, and drops what else is in it.
        return self._reference(kind, namespace, f"{path}.type")

    def _reference(self, name: str, namespace: str, path: str) -> str:
        if name in PRIMITIVES:
            return name
        full = full_name(name, namespace)
        if full in self._named:
            return full
        # As Java has it, beyond the specification: a type without namespace is found from within
        # one, once its definition has ended.
        if name in self._named and name not in self._open:
            return name
        raise SchemaInvalid(
            path, f"the type {quoted(name)} is not known here. Define it before it is referred to"
        )

    def _union(self, branches: list[Any], namespace: str, path: str) -> list[Any]:
        found = []
        seen: set[str] = set()
        for index, branch in enumerate(branches):
            place = f"{path}[{index}]"
            if isinstance(branch, list):
                raise SchemaInvalid(place, "a union stands directly in a union. Make it one")
            complete = self.read(branch, namespace, place)
            if isinstance(complete, str):
                name = complete
            else:
                name = complete["name" if complete["type"] in NAMED else "type"]
            if name in seen:
                raise SchemaInvalid(place, f"the union has {name!r} twice. Take one out")
            seen.add(name)
            found.append(complete)
        return found

    def _definition(
        self, kind: str, schema: dict[str, Any], namespace: str, path: str
    ) -> dict[str, Any]:
        full = self._name_of(kind, schema, namespace, path)
        inner = full.rpartition(".")[0]
        check_aliases_of_type(schema, inner, path, self._strictness)
        complete = {**schema, "name": full}
        complete.pop("namespace", None)
        self._named[full] = complete
        if kind == "enum":
            check_symbols(schema, path)
        elif kind == "fixed":
            check_size(schema, path)
        else:
            self._open.add(full)
            complete["fields"] = self._fields(full, schema, inner, path)
            self._open.remove(full)
        return complete

    def _name_of(self, kind: str, schema: dict[str, Any], namespace: str, path: str) -> str:
        name = schema.get("name")
        if not isinstance(name, str) or not name:
            raise SchemaInvalid(path, f"the {kind} has no 'name'. Name it")
        own = schema.get("namespace")
        if own is not None and not isinstance(own, str):
            raise SchemaInvalid(f"{path}.namespace", f"{quoted(own)} is no text. Write one")
        # A dot alone before the name takes it out of every namespace.
        alone = name[1:] if name.rfind(".") == 0 else ""
        full = alone or full_name(name, namespace if own is None else own)
        if not is_full_name(full, self._strictness):
            raise SchemaInvalid(
                f"{path}.name",
                f"{quoted(full)} is no name. Use letters, digits and _, no digit first",
            )
        if full in PRIMITIVES:
            raise SchemaInvalid(f"{path}.name", f"{full!r} is a primitive type. Name it otherwise")
        if full in self._named:
            raise SchemaInvalid(path, f"the type {full!r} is defined twice. Refer to it by name")
        return full

    def _fields(
        self, record: str, schema: dict[str, Any], namespace: str, path: str
    ) -> list[dict[str, Any]]:
        fields = schema.get("fields")
        if not isinstance(fields, list):
            raise SchemaInvalid(path, "the record has no list of 'fields'. Give one")
        seen: set[str] = set()
        found = []
        for index, field in enumerate(fields):
            place = f"{path}.fields[{index}]"
            if not isinstance(field, dict) or not isinstance(field.get("name"), str):
                raise SchemaInvalid(place, "the field has no 'name'. Name it")
            name = field["name"]
            if not is_name(name, self._strictness):
                raise SchemaInvalid(
                    f"{place}.name",
                    f"{quoted(name)} is no name. Use letters, digits and _, no digit first",
                )
            if name in seen:
                raise SchemaInvalid(place, f"the field {name!r} is listed twice. Take one out")
            seen.add(name)
            found.append(self._field(record, field, namespace, place))
        return found

    def _field(
        self, record: str, field: dict[str, Any], namespace: str, path: str
    ) -> dict[str, Any]:
        if "type" not in field:
            raise SchemaInvalid(path, f"the field {field['name']!r} has no 'type'. Give one")
        check_aliases(field, path)
        check_order(field, path)
        kind = self.read(field["type"], namespace, f"{path}.type")
        if "default" in field and (problem := self._defaults.problem(kind, field["default"])):
            raise SchemaInvalid(
                f"{path}.default", f"the default of {record}.{field['name']} {problem}"
            )
        return {**field, "type": kind}
