"""Reads the JSON of a schema into nodes; what is wrong is named by its place.

A name is defined before it is referred to, as the specification requires, and once; Java from
1.12 also looks further on, and takes a second definition that is equal to the first.

Source: Apache Avro 1.12 specification, "Schema Declaration" and "Names"; Apache Avro for Java
1.12.1, `Schema.parse`.
"""

from __future__ import annotations

from typing import Any

from relay.schema.avro.attributes import (
    aliases_of,
    full_aliases_of,
    order_of,
    size_of,
    symbols_of,
)
from relay.schema.avro.defaults import default_problem
from relay.schema.avro.forms import form_of
from relay.schema.avro.invalid import SchemaInvalid, quoted
from relay.schema.avro.names import full_name, is_full_name, is_name, namespace_of
from relay.schema.avro.nodes import ABSENT, PRIMITIVES, Field, Node
from relay.schema.avro.strictness import Strictness

__all__ = ["Reader"]

_DEFINING = {"record": "record", "error": "record", "enum": "enum", "fixed": "fixed"}
_ELEMENTS = {"array": "items", "map": "values"}


class Reader:
    """Reads one schema.

    named: types by full name that it may refer to; those that it defines are added.
    """

    def __init__(self, named: dict[str, Node], strictness: Strictness) -> None:
        self._named = named
        self._strictness = strictness
        # Records whose definition has not ended.
        self._open: set[str] = set()

    def read(self, schema: Any, namespace: str, path: str) -> Node:
        """The type of `schema`.

        namespace: the one around it. path: its JSON path. Raises SchemaInvalid at the first
        mistake, in the order of the text, and RecursionError when it is nested too deeply.
        """
        if isinstance(schema, str):
            return self._reference(schema, namespace, path)
        if isinstance(schema, list):
            return self._union(schema, namespace, path)
        if not isinstance(schema, dict):
            raise SchemaInvalid(
                path, f"{quoted(schema)} is not a type. Give a name, an object or a list"
            )
        if "type" not in schema:
            raise SchemaInvalid(path, "it has no 'type'. Give one")
        kind = schema["type"]
        if not isinstance(kind, str):
            raise SchemaInvalid(
                f"{path}.type", f"{quoted(kind)} is not the name of a type. Name one"
            )
        if kind in PRIMITIVES:
            return _with_form(Node(kind, kind, json=schema))
        if kind in _DEFINING:
            return self._definition(kind, schema, namespace, path)
        if key := _ELEMENTS.get(kind):
            if key not in schema:
                raise SchemaInvalid(path, f"the {kind} has no {key!r}. Say what it holds")
            element = self.read(schema[key], namespace, f"{path}.{key}")
            return Node(kind, kind, items=element, json=schema)
        # Java takes a reference in an object, and drops what else is in it.
        return self._reference(kind, namespace, f"{path}.type")

    def _reference(self, name: str, namespace: str, path: str) -> Node:
        if name in PRIMITIVES:
            return Node(name, name)
        if found := self._named.get(full_name(name, namespace)):
            return found
        # As Java has it, beyond the specification: a type without namespace is found from within
        # one, once its definition has ended.
        if name in self._named and name not in self._open:
            return self._named[name]
        raise SchemaInvalid(
            path, f"the type {quoted(name)} is not known here. Define it before it is referred to"
        )

    def _union(self, branches: list[Any], namespace: str, path: str) -> Node:
        found = []
        seen: set[str] = set()
        for index, branch in enumerate(branches):
            place = f"{path}[{index}]"
            if isinstance(branch, list):
                raise SchemaInvalid(place, "a union stands directly in a union. Make it one")
            node = self.read(branch, namespace, place)
            name = node.name or node.kind
            if name in seen:
                raise SchemaInvalid(place, f"the union has {name!r} twice. Remove one")
            seen.add(name)
            found.append(node)
        return Node("union", "union", branches=tuple(found))

    def _definition(self, kind: str, schema: dict[str, Any], namespace: str, path: str) -> Node:
        name = self._name_of(kind, schema, namespace, path)
        inner = namespace_of(name)
        aliases = full_aliases_of(schema, inner, path, self._strictness)
        kind = _DEFINING[kind]
        node = self._named[name] = Node(kind, kind, name, aliases=aliases, json=schema)
        if kind == "enum":
            node.symbols = symbols_of(schema, path, self._strictness)
            node.default_symbol = schema.get("default")
        elif kind == "fixed":
            node.size = size_of(schema, path)
            _with_form(node)
        else:
            self._open.add(name)
            self._read_fields(node, schema, inner, path)
            self._open.remove(name)
        return node

    def _name_of(self, kind: str, schema: dict[str, Any], namespace: str, path: str) -> str:
        name = schema.get("name")
        if not isinstance(name, str) or not name:
            raise SchemaInvalid(path, f"the {kind} has no 'name'. Name it")
        own = schema.get("namespace")
        if own is not None and not isinstance(own, str):
            raise SchemaInvalid(f"{path}.namespace", f"{quoted(own)} is not a string. Write one")
        # A dot only before the name takes it out of every namespace.
        bare = name[1:] if name.rfind(".") == 0 else ""
        full = bare or full_name(name, namespace if own is None else own)
        if not is_full_name(full, self._strictness):
            raise _not_a_name(full, f"{path}.name")
        if full in PRIMITIVES:
            raise SchemaInvalid(f"{path}.name", f"{full!r} is a primitive type. Name it otherwise")
        if full in self._named:
            raise SchemaInvalid(path, f"the type {full!r} is defined twice. Refer to it by name")
        return full

    def _read_fields(self, record: Node, schema: dict[str, Any], namespace: str, path: str) -> None:
        fields = schema.get("fields")
        if not isinstance(fields, list):
            raise SchemaInvalid(path, "the record has no list of 'fields'. Give one")
        seen: set[str] = set()
        for index, field in enumerate(fields):
            place = f"{path}.fields[{index}]"
            if not isinstance(field, dict) or not isinstance(field.get("name"), str):
                raise SchemaInvalid(place, "the field has no 'name'. Name it")
            name = field["name"]
            if not is_name(name, self._strictness):
                raise _not_a_name(name, f"{place}.name")
            if name in seen:
                raise SchemaInvalid(place, f"the field {name!r} is listed twice. Remove one")
            seen.add(name)
            record.fields.append(self._field(record.name, field, namespace, place))

    def _field(self, record: str, field: dict[str, Any], namespace: str, path: str) -> Field:
        name = field["name"]
        if "type" not in field:
            raise SchemaInvalid(path, f"the field {name!r} has no 'type'. Give one")
        aliases = tuple(dict.fromkeys(aliases_of(field, path)))
        order = order_of(field, path)
        node = self.read(field["type"], namespace, f"{path}.type")
        default = field.get("default", ABSENT)
        if default is not ABSENT and (
            problem := default_problem(node, default, self._open, self._strictness)
        ):
            raise SchemaInvalid(f"{path}.default", f"the default of {record}.{name} {problem}")
        return Field(name, node, default, aliases, order, field)


def _with_form(node: Node) -> Node:
    """The node with the logical type that is written in it, where that is understood."""
    if "logicalType" in node.json:
        node.form = form_of(node.kind, node.json)
        if node.form == "decimal":
            node.precision, node.scale = node.json["precision"], node.json.get("scale", 0)
    return node


def _not_a_name(name: str, path: str) -> SchemaInvalid:
    return SchemaInvalid(
        path, f"{quoted(name)} is not a name. Use letters, digits and _, no digit first"
    )
