"""What the encoder and the decoder support of Avro: schemas beyond it are refused."""

from __future__ import annotations

from collections.abc import Iterator

from relay.schema.avro.forms import decimal_problem
from relay.schema.avro.invalid import SchemaInvalid
from relay.schema.avro.nodes import PRIMITIVES, Node

__all__ = ["check_supported"]

# Programs that walk a schema take a few calls a level of Python's thousand.
_DEEPEST = 100
_LEAVES = PRIMITIVES | {"fixed"}


def check_supported(root: Node) -> None:
    """Raises SchemaInvalid for types without values, `duration`, a decimal that can't be, and
    more than 100 types within each other."""
    _check(root, "$", 1, set())


def _check(node: Node, path: str, level: int, seen: set[Node]) -> None:
    if level > _DEEPEST:
        raise SchemaInvalid("$", f"types nest more than {_DEEPEST} levels. Flatten the schema")
    if node in seen:
        return
    seen.add(node)
    if node.kind in _LEAVES:
        _check_logical(node, path)
    elif node.kind == "union" and not node.branches:
        raise SchemaInvalid(path, "the union has no branch. List at least one")
    elif node.kind == "enum" and not node.symbols:
        raise SchemaInvalid(f"{path}.symbols", "the enum has no symbol. List at least one")
    for step, part in _steps(node):
        _check(part, f"{path}{step}", level + 1, seen)


def _steps(node: Node) -> Iterator[tuple[str, Node]]:
    if node.items is not None:
        yield ".items" if node.kind == "array" else ".values", node.items
    for index, field in enumerate(node.fields):
        yield f".fields[{index}].type", field.node
    for index, branch in enumerate(node.branches):
        yield f"[{index}]", branch


def _check_logical(node: Node, path: str) -> None:
    logical = node.json.get("logicalType")
    if logical == "duration":
        raise SchemaInvalid(
            path,
            "the logical type duration is not supported. "
            "Use a long of milliseconds, or two timestamps",
        )
    if logical == "decimal" and node.kind in {"bytes", "fixed"} and node.form != "decimal":
        raise SchemaInvalid(path, decimal_problem(node.kind, node.json))
