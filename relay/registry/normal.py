"""The normal form of a schema.

Two texts that say the same have one normal form: types by their full names, keys in one order,
nothing written out that is a matter of course.
Sources: Apache Avro 1.12 specification, "Schema Declaration" and "Names"; Confluent Schema
Registry documentation, "Schema Normalization".
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from relay.schema.compatibility.names import full_alias
from relay.schema.compatibility.properties import ASCENDING
from relay.schema.compatibility.reader import PRIMITIVES

__all__ = ["normal_form"]

# What has a place of its own; everything else is a property, which is kept as it is.
_OF_TYPES = frozenset({"type", "name", "doc", "aliases"})
_OWN = {
    "record": frozenset({"fields"}),
    "error": frozenset({"fields"}),
    "enum": frozenset({"symbols", "default"}),
    "fixed": frozenset({"size"}),
}
_OF_FIELDS = frozenset({"type", "name", "doc", "aliases", "default", "order"})


def normal_form(full: Any) -> str:
    """Normal form, as JSON, of a schema's JSON with full names as a Reader answers it.

    Raises RecursionError when it is nested too deeply.
    """
    return json.dumps(_normal(full, ""), separators=(",", ":"), ensure_ascii=False)


def _normal(full: Any, namespace: str) -> Any:
    """namespace: that of the record around it."""
    if isinstance(full, str):
        return full
    if isinstance(full, list):
        return [_normal(branch, namespace) for branch in full]
    kind = full["type"]
    if kind in PRIMITIVES:
        properties = _properties(full, {"type"})
        return {"type": kind, **properties} if properties else kind
    if kind in _OWN:
        return _of_named(kind, full, namespace)
    key = "items" if kind == "array" else "values"
    return {"type": kind, key: _normal(full[key], namespace), **_properties(full, {"type", key})}


def _of_named(kind: str, full: dict[str, Any], around: str) -> dict[str, Any]:
    namespace = full["name"].rpartition(".")[0]
    found: dict[str, Any] = {"type": kind, "name": full["name"]}
    if around and not namespace:
        # Otherwise the name would be one in the namespace around it.
        found["namespace"] = ""
    if full.get("doc"):
        found["doc"] = full["doc"]
    if aliases := full.get("aliases"):
        found["aliases"] = sorted({full_alias(alias, namespace) for alias in aliases})
    match kind:
        case "enum":
            found["symbols"] = full["symbols"]
            if "default" in full:
                found["default"] = full["default"]
        case "fixed":
            found["size"] = full["size"]
        case _:
            found["fields"] = [_of_field(field, namespace) for field in full["fields"]]
    return found | _properties(full, _OF_TYPES | _OWN[kind])


def _of_field(field: dict[str, Any], namespace: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": field["name"], "type": _normal(field["type"], namespace)}
    if "default" in field:
        found["default"] = field["default"]
    if (order := field.get("order", ASCENDING)) != ASCENDING:
        found["order"] = order
    if field.get("doc") is not None:
        found["doc"] = field["doc"]
    if aliases := field.get("aliases"):
        found["aliases"] = sorted(set(aliases))
    return found | _properties(field, _OF_FIELDS)


def _properties(full: dict[str, Any], without: Iterable[str]) -> dict[str, Any]:
    taken = {*without, "scale"} if full.get("scale") == 0 else set(without)
    return {key: full[key] for key in sorted(full.keys() - taken)}
