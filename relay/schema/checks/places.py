"""Every place of a schema that a rule can look at: its types and its fields, each once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from relay.schema.avro.nodes import Field, Node
from relay.schema.checks.words import ROOT, item_path, value_path

__all__ = ["Place", "held_types", "places"]


@dataclass(frozen=True)
class Place:
    """A type where it is defined or used, or a field.

    field: None at a type. records: around the place, from the outermost to the innermost.
    """

    path: str
    node: Node
    field: Field | None
    records: tuple[Node, ...]


def places(root: Node) -> Iterator[Place]:
    """All places from the root on; a named type is entered where it comes first."""
    yield from _types(root, ROOT, (), set())


def held_types(node: Node) -> Iterator[Node]:
    """The types that a field's values have: branches of unions, elements of arrays and maps."""
    if node.kind == "union":
        for branch in node.branches:
            yield from held_types(branch)
    elif node.kind in {"array", "map"}:
        yield from held_types(node.element)
    else:
        yield node


def _types(node: Node, path: str, records: tuple[Node, ...], seen: set[str]) -> Iterator[Place]:
    if node.name:
        if node.name in seen:
            return
        seen.add(node.name)
    yield Place(path, node, None, records)
    match node.kind:
        case "union":
            for branch in node.branches:
                yield from _types(branch, path, records, seen)
        case "array":
            yield from _types(node.element, item_path(path), records, seen)
        case "map":
            yield from _types(node.element, value_path(path), records, seen)
        case "record":
            inside = (*records, node)
            for field in node.fields:
                at = f"{path}.{field.name}"
                yield Place(at, field.node, field, inside)
                yield from _types(field.node, at, inside, seen)
