"""The normal form of a schema.

Texts of the same schema have the same normal form: types by their full names, keys in one order,
and no values that are the default anyway.
Sources: Apache Avro 1.12 specification, "Schema Declaration" and "Names"; Confluent Schema
Registry documentation, "Schema Normalization".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from typing import Any

from relay.schema.avro.names import namespace_of
from relay.schema.avro.nodes import ABSENT, ASCENDING, Field, Node
from relay.schema.avro.parse import Parsed

__all__ = ["normal_form"]

# Handled one by one; every other key is a property, which is kept as it is.
_OF_TYPES = frozenset({"type", "name", "namespace", "doc", "aliases"})
_OWN = {
    "record": _OF_TYPES | {"fields"},
    "enum": _OF_TYPES | {"symbols", "default"},
    "fixed": _OF_TYPES | {"size"},
    "array": frozenset({"type", "items"}),
    "map": frozenset({"type", "values"}),
}
_OF_FIELDS = frozenset({"type", "name", "doc", "aliases", "default", "order"})
_TYPE = frozenset({"type"})


def normal_form(schema: Parsed) -> str:
    """Normal form of a schema, as JSON. Raises RecursionError when it is nested too deeply."""
    form = _NormalWriter(set(schema.referenced)).of(schema.root, "")
    return json.dumps(form, separators=(",", ":"), ensure_ascii=False)


class _NormalWriter:
    """defined: full names of the types that are referred to by name from here on."""

    def __init__(self, defined: set[str]) -> None:
        self._defined = defined

    def of(self, node: Node, namespace: str) -> Any:
        """Normal form of a type. namespace: that of the record around it."""
        kind = node.kind
        if kind == "union":
            return [self.of(branch, namespace) for branch in node.branches]
        if node.name in self._defined:
            return node.name
        if node.name:
            return self._of_named(node, namespace)
        properties = _properties(node.json, _OWN.get(kind, _TYPE))
        if node.items is None:
            return {"type": kind, **properties} if properties else kind
        key = "items" if kind == "array" else "values"
        return {"type": kind, key: self.of(node.items, namespace), **properties}

    def _of_named(self, node: Node, around: str) -> dict[str, Any]:
        self._defined.add(node.name)
        namespace = namespace_of(node.name)
        found: dict[str, Any] = {"type": node.json["type"], "name": node.name}
        if around and not namespace:
            # Otherwise the name would be one in the namespace around it.
            found["namespace"] = ""
        if node.json.get("doc"):
            found["doc"] = node.json["doc"]
        if node.aliases:
            found["aliases"] = sorted(set(node.aliases))
        match node.kind:
            case "enum":
                found["symbols"] = node.symbols
                if node.default_symbol is not None:
                    found["default"] = node.default_symbol
            case "fixed":
                found["size"] = node.size
            case _:
                found["fields"] = [self._of_field(field, namespace) for field in node.fields]
        return found | _properties(node.json, _OWN[node.kind])

    def _of_field(self, field: Field, namespace: str) -> dict[str, Any]:
        found: dict[str, Any] = {"name": field.name, "type": self.of(field.node, namespace)}
        if field.default is not ABSENT:
            found["default"] = field.default
        if field.order != ASCENDING:
            found["order"] = field.order
        if field.json.get("doc") is not None:
            found["doc"] = field.json["doc"]
        if field.aliases:
            found["aliases"] = sorted(field.aliases)
        return found | _properties(field.json, _OF_FIELDS)


def _properties(json: Mapping[str, Any], without: Set[str]) -> dict[str, Any]:
    keys = sorted(json.keys() - without)
    # A scale of 0 is that of a decimal without one.
    return {key: json[key] for key in keys if not (key == "scale" and json[key] == 0)}
