"""The types and logical types that the encoder and the decoder support.

Source: Apache Avro 1.12 specification, "Logical Types".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from relay.schema.avro.invalid import SchemaInvalid
from relay.schema.avro.nodes import PRIMITIVES, Node

__all__ = ["LOGICAL", "MOST_DIGITS", "check_supported", "decimal_problem", "form_of"]

# Supported pairs of physical and logical type; all others mean the physical type.
LOGICAL = frozenset(
    {
        ("int", "date"),
        ("int", "time-millis"),
        ("long", "time-micros"),
        ("long", "timestamp-millis"),
        ("long", "timestamp-micros"),
        ("long", "timestamp-nanos"),
        ("long", "local-timestamp-millis"),
        ("long", "local-timestamp-micros"),
        ("long", "local-timestamp-nanos"),
        ("string", "uuid"),
        ("fixed", "uuid"),
        ("bytes", "decimal"),
        ("fixed", "decimal"),
    }
)
# Computing the powers of ten of a mistyped precision would take minutes.
MOST_DIGITS = 10_000
# Walking a schema takes a few of Python's 1,000 stack frames for each level.
_DEEPEST = 100
_LEAVES = PRIMITIVES | {"fixed"}


def check_supported(root: Node) -> None:
    """Raises SchemaInvalid for types without values, decimals of more than 10,000 digits, and more
    than 100 nested types."""
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
        raise SchemaInvalid(path, "the union has no branch. Add one")
    elif node.kind == "enum" and not node.symbols:
        raise SchemaInvalid(f"{path}.symbols", "the enum has no symbol. Add one")
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
    if node.precision > MOST_DIGITS:
        raise SchemaInvalid(
            path,
            f"decimal({node.precision}, {node.scale}) has more than {MOST_DIGITS:,} digits. "
            "Lower the precision",
        )


def form_of(kind: str, json: Mapping[str, Any]) -> str:
    """Returns the logical type of a type written as `json`; `kind` if it is not supported.

    As the specification requires, a decimal that can't be is ignored like an unknown logical type.
    """
    logical = json.get("logicalType")
    if not isinstance(logical, str) or (kind, logical) not in LOGICAL:
        return kind
    if logical == "uuid" and kind == "fixed" and json["size"] != 16:
        return kind
    return kind if logical == "decimal" and decimal_problem(kind, json) else logical


def decimal_problem(kind: str, json: Mapping[str, Any]) -> str:
    """Returns what is wrong with a decimal's precision and scale, empty when nothing is."""
    precision, scale = json.get("precision"), json.get("scale", 0)
    if type(precision) is not int or type(scale) is not int or not 0 <= scale <= precision > 0:
        return (
            f"decimal({precision}, {scale}) is not valid. Use a precision above 0 and a scale "
            "between 0 and the precision"
        )
    if kind == "fixed":
        size = json["size"]
        room = int((8 * size - 1) * 0.30102999566398119)
        if precision > room:
            return (
                f"{size} bytes hold {room} digits, not {precision}. "
                "Raise the size or lower the precision"
            )
    return ""
