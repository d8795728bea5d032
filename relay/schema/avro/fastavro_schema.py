"""A type as fastavro takes it, with logical types and defaults as the caller gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastavro import parse_schema

from relay.errors import CatalogInvalid
from relay.schema.avro.nodes import ABSENT, Field, Node

__all__ = ["parsed", "schema_of"]


def parsed(schema: Any) -> Any:
    """A schema as fastavro has parsed it; defaults may be of any form. Raises CatalogInvalid."""
    try:
        # The parsed marker is not trusted: a schema that carries it would be taken unread.
        return parse_schema(schema, _force=True, _ignore_default_error=True)
    except Exception as error:  # fastavro raises KeyError and TypeError for malformed schemas
        raise CatalogInvalid(f"not a valid Avro schema: {error}. Correct it") from error


def schema_of(
    root: Node,
    *,
    logical: Callable[[Node], dict[str, Any]] = lambda _: {},
    default: Callable[[Field], Any] = lambda _: ABSENT,
) -> Any:
    """JSON of a type. logical: the attributes of its logical type; none by default.

    default: the default of a field that has one, ABSENT to leave it out.
    """
    return _Writer(logical, default).of(root)


class _Writer:
    def __init__(
        self, logical: Callable[[Node], dict[str, Any]], default: Callable[[Field], Any]
    ) -> None:
        self._logical = logical
        self._default = default
        self._defined: set[str] = set()

    def of(self, node: Node) -> Any:
        if node.name in self._defined:
            return node.name
        if node.name:
            self._defined.add(node.name)
        match node.kind:
            case "record":
                return _named(node, fields=[self._field(field) for field in node.fields])
            case "array":
                return {"type": "array", "items": self.of(node.element)}
            case "map":
                return {"type": "map", "values": self.of(node.element)}
            case "union":
                return [self.of(branch) for branch in node.branches]
            case "enum":
                default = {"default": node.default_symbol} if node.default_symbol else {}
                return _named(node, symbols=list(node.symbols), **default)
            case "fixed":
                return _named(node, size=node.size, **self._logical(node))
        return {"type": node.kind, **self._logical(node)}

    def _field(self, field: Field) -> dict[str, Any]:
        entry = {"name": field.name, "type": self.of(field.node)}
        if field.aliases:
            entry["aliases"] = list(field.aliases)
        if field.default is not ABSENT and (default := self._default(field)) is not ABSENT:
            entry["default"] = default
        return entry


def _named(node: Node, **rest: Any) -> dict[str, Any]:
    aliases = {"aliases": list(node.aliases)} if node.aliases else {}
    return {"type": node.kind, "name": node.name, **aliases, **rest}
