"""Reads the JSON of a schema into nodes; errors name their place.

The specification requires that a name is defined once, and before it is referred to. Java from
1.12 also accepts later definitions, and a second one that is equal to the first.

Source: Apache Avro 1.12 specification, "Schema Declaration" and "Names"; Apache Avro for Java
1.12.1, `Schema.parse`.
"""

from __future__ import annotations

from typing import Any

from relay.schema.avro.defaults import default_problem
from relay.schema.avro.invalid import SchemaInvalid, quoted
from relay.schema.avro.names import (
    Strictness,
    full_alias,
    full_name,
    is_full_name,
    is_name,
    namespace_of,
)
from relay.schema.avro.nodes import ABSENT, ASCENDING, PRIMITIVES, Field, Node, types_of
from relay.schema.avro.supported import form_of

__all__ = ["Reader"]

_DEFINING = {"record": "record", "error": "record", "enum": "enum", "fixed": "fixed"}
_ELEMENTS = {"array": "items", "map": "values"}
_ORDERS = (ASCENDING, "descending", "ignore")
_LARGEST_SIZE = 2**31 - 1


class Reader:
    """Reads one schema. named: types by full name that it may refer to; it adds its own."""

    def __init__(self, named: dict[str, Node], strictness: Strictness) -> None:
        self._named = named
        self._strictness = strictness
        # Records whose definition has not ended.
        self._open: set[str] = set()
        # Types that were referred to and not defined yet, as they were named and where.
        self._ahead: dict[str, tuple[Node, str, str]] = {}
        # Fields with defaults whose types were not all defined yet, with what names them.
        self._unchecked: list[tuple[Node, Any, str, str]] = []

    def whole(self, schema: Any, path: str) -> Node:
        """Returns the type of a schema with everything that it refers to.

        path: its JSON path. Raises SchemaInvalid at the first error, and RecursionError when it is
        nested too deeply.
        """
        root = self.read(schema, "", path)
        for _, name, place in self._ahead.values():
            raise _unknown(name, place)
        for node, default, field, place in self._unchecked:
            self._check_default(node, default, field, place)
        return root

    def read(self, schema: Any, namespace: str, path: str) -> Node:
        """Returns the type of `schema`. namespace: the enclosing one. path: its JSON path.

        Raises SchemaInvalid at the first error, and RecursionError when it is nested too deeply.
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
            raise SchemaInvalid(path, "'type' is missing. Add it")
        kind = schema["type"]
        if not isinstance(kind, str):
            raise SchemaInvalid(
                f"{path}.type", f"{quoted(kind)} is not the name of a type. Use a name"
            )
        if kind in PRIMITIVES:
            return _with_form(Node(kind, kind, json=schema))
        if kind in _DEFINING:
            return self._definition(kind, schema, namespace, path)
        if key := _ELEMENTS.get(kind):
            if key not in schema:
                raise SchemaInvalid(path, f"the {kind} has no {key!r}. Add it")
            element = self.read(schema[key], namespace, f"{path}.{key}")
            return Node(kind, kind, items=element, json=schema)
        # As in Java, a reference may be in an object, whose other attributes are ignored.
        return self._reference(kind, namespace, f"{path}.type")

    def _reference(self, name: str, namespace: str, path: str) -> Node:
        if name in PRIMITIVES:
            return Node(name, name)
        if found := self._named.get(full_name(name, namespace)):
            return found
        # As in Java, beyond the specification: a type without namespace is found from inside a
        # namespace, after its definition has ended.
        if name in self._named and name not in self._open:
            return self._named[name]
        if self._strictness is Strictness.SPECIFICATION:
            raise _unknown(name, path)
        full = full_name(name, namespace)
        return self._ahead.setdefault(full, (Node("", "", full), name, path))[0]

    def _union(self, branches: list[Any], namespace: str, path: str) -> Node:
        found = []
        seen: set[str] = set()
        for index, branch in enumerate(branches):
            place = f"{path}[{index}]"
            if isinstance(branch, list):
                raise SchemaInvalid(place, "a union is directly in a union. Merge them")
            node = self.read(branch, namespace, place)
            name = node.name or node.kind
            if name in seen:
                raise SchemaInvalid(place, f"the union has {name!r} twice. Remove one")
            seen.add(name)
            found.append(node)
        return Node("union", "union", branches=tuple(found))

    def _definition(self, kind: str, schema: dict[str, Any], namespace: str, path: str) -> Node:
        name = self._name_of(kind, schema, namespace, path)
        if name in self._named:
            return self._again(name, schema, path)
        inner = namespace_of(name)
        aliases = _full_aliases(schema, inner, path, self._strictness)
        kind = _DEFINING[kind]
        node, *_ = self._ahead.pop(name, (Node("", "", name), name, path))
        node.kind = node.form = kind
        node.aliases, node.json = aliases, schema
        self._named[name] = node
        if kind == "enum":
            node.symbols = _symbols(schema, path, self._strictness)
            node.default_symbol = schema.get("default")
        elif kind == "fixed":
            node.size = _size(schema, path)
            _with_form(node)
        else:
            self._open.add(name)
            self._read_fields(node, schema, inner, path)
            self._open.remove(name)
        return node

    def _name_of(self, kind: str, schema: dict[str, Any], namespace: str, path: str) -> str:
        name = schema.get("name")
        if not isinstance(name, str) or not name:
            raise SchemaInvalid(path, f"the {kind} has no 'name'. Add it")
        own = schema.get("namespace")
        if own is not None and not isinstance(own, str):
            raise SchemaInvalid(f"{path}.namespace", f"{quoted(own)} is not a string. Use one")
        # A name with only a leading dot has no namespace.
        bare = name[1:] if name.rfind(".") == 0 else ""
        full = bare or full_name(name, namespace if own is None else own)
        if not is_full_name(full, self._strictness):
            raise _not_a_name(full, f"{path}.name")
        if full in PRIMITIVES:
            raise SchemaInvalid(f"{path}.name", f"{full!r} is a primitive type. Use another name")
        return full

    def _again(self, name: str, schema: dict[str, Any], path: str) -> Node:
        known = self._named[name]
        if self._strictness is Strictness.SPECIFICATION or known.json != schema:
            raise SchemaInvalid(path, f"the type {name!r} is defined twice. Refer to it by name")
        return known

    def _read_fields(self, record: Node, schema: dict[str, Any], namespace: str, path: str) -> None:
        seen: set[str] = set()
        for index, field in enumerate(_list_of("fields", schema, "record", path)):
            place = f"{path}.fields[{index}]"
            if not isinstance(field, dict) or not isinstance(field.get("name"), str):
                raise SchemaInvalid(place, "the field has no 'name'. Add it")
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
            raise SchemaInvalid(path, f"the field {name!r} has no 'type'. Add it")
        aliases = tuple(dict.fromkeys(_aliases(field, path)))
        order = _order(field, path)
        node = self.read(field["type"], namespace, f"{path}.type")
        default = field.get("default", ABSENT)
        if default is not ABSENT:
            if self._ahead and any(not each.kind for each in types_of(node)):
                self._unchecked.append((node, default, f"{record}.{name}", path))
            else:
                self._check_default(node, default, f"{record}.{name}", path)
        return Field(name, node, default, aliases, order, field)

    def _check_default(self, node: Node, default: Any, field: str, path: str) -> None:
        if problem := default_problem(node, default, self._open, self._strictness):
            raise SchemaInvalid(f"{path}.default", f"the default of {field} {problem}")


def _unknown(name: str, path: str) -> SchemaInvalid:
    return SchemaInvalid(
        path, f"the type {quoted(name)} is not known here. Define it before it is referred to"
    )


def _with_form(node: Node) -> Node:
    """Sets the node's logical type if it is supported. Returns the node."""
    if "logicalType" in node.json:
        node.form = form_of(node.kind, node.json)
        if node.form == "decimal":
            node.precision, node.scale = node.json["precision"], node.json.get("scale", 0)
    return node


def _list_of(key: str, schema: dict[str, Any], kind: str, path: str) -> list[Any]:
    if not isinstance(found := schema.get(key), list):
        raise SchemaInvalid(path, f"the {kind} has no list of {key!r}. Add one")
    return found


def _symbols(enum: dict[str, Any], path: str, strictness: Strictness) -> tuple[str, ...]:
    symbols = _list_of("symbols", enum, "enum", path)
    seen: set[str] = set()
    for index, symbol in enumerate(symbols):
        place = f"{path}.symbols[{index}]"
        if not isinstance(symbol, str) or not is_name(symbol, strictness):
            raise _not_a_name(symbol, place)
        if symbol in seen:
            raise SchemaInvalid(place, f"the symbol {symbol!r} is listed twice. Remove one")
        seen.add(symbol)
    if "default" in enum and enum["default"] not in symbols:
        raise SchemaInvalid(
            f"{path}.default", f"{quoted(enum['default'])} is not one of the symbols. Use one"
        )
    return tuple(symbols)


def _size(fixed: dict[str, Any], path: str) -> int:
    size = fixed.get("size")
    if type(size) is not int or not 0 <= size <= _LARGEST_SIZE:
        raise SchemaInvalid(
            f"{path}.size", f"{quoted(size)} is not a number of bytes from 0 to {_LARGEST_SIZE}"
        )
    return size


def _order(field: dict[str, Any], path: str) -> str:
    order = field.get("order", ASCENDING)
    if order not in _ORDERS:
        raise SchemaInvalid(
            f"{path}.order", f"{quoted(order)} is not one of {', '.join(_ORDERS)}. Use one of them"
        )
    return str(order)


def _aliases(entry: dict[str, Any], path: str) -> tuple[str, ...]:
    aliases = entry.get("aliases", [])
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise SchemaInvalid(
            f"{path}.aliases", f"{quoted(aliases)} is not a list of names. Use one, or remove it"
        )
    return tuple(aliases)


def _full_aliases(
    schema: dict[str, Any], namespace: str, path: str, strictness: Strictness
) -> tuple[str, ...]:
    found = tuple(full_alias(alias, namespace) for alias in _aliases(schema, path))
    if strictness is not Strictness.STANDING:
        for index, alias in enumerate(found):
            if not is_full_name(alias.removeprefix("."), Strictness.JAVA):
                raise _not_a_name(schema["aliases"][index], f"{path}.aliases[{index}]")
    return found


def _not_a_name(name: Any, path: str) -> SchemaInvalid:
    return SchemaInvalid(
        path, f"{quoted(name)} is not a name. Use letters, digits and _, no digit first"
    )
