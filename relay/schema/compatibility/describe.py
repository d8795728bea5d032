"""Types and places in words."""

from __future__ import annotations

from collections.abc import Sequence

from relay.schema.avro.nodes import NAMED, Node

__all__ = ["branches_listed", "described", "listed", "named"]

# Beyond it a list in a message hides more than it shows.
_SHOWN = 12
_DEPTH = 3


def described(node: Node, depth: int = _DEPTH) -> str:
    """A type with what compatibility looks at, such as `enum shop.State of OPEN, SHUT`."""
    match node.kind:
        case "enum":
            return f"{named(node)} of {listed(node.symbols)}"
        case "fixed":
            return f"{named(node)} of {node.size} bytes"
        case "array" | "map" as kind:
            return f"{kind} of {described(node.element, depth - 1)}" if depth else kind
        case "union":
            return f"union of {branches_listed(node) or 'nothing'}"
        case _:
            return named(node)


def named(node: Node) -> str:
    """A type in a word or two: `record shop.Order`, `long (timestamp-millis)`, `array`."""
    kind = node.kind
    if kind in NAMED:
        return f"{kind} {node.name}"
    logical = node.json.get("logicalType")
    return f"{kind} ({logical})" if logical and isinstance(logical, str) else kind


def branches_listed(union: Node) -> str:
    """Branches of a union with commas between them; the last of many are counted only."""
    branches = union.branches
    return _joined([named(branch) for branch in branches[:_SHOWN]], len(branches))


def listed(words: Sequence[str]) -> str:
    """Words with commas between them; the last of a long list are counted only."""
    return _joined(words[:_SHOWN], len(words))


def _joined(shown: Sequence[str], count: int) -> str:
    more = f" and {count - len(shown)} more" if count > len(shown) else ""
    return ", ".join(shown) + more
