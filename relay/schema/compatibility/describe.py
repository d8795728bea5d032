"""Types and places in words."""

from __future__ import annotations

from collections.abc import Sequence

from avro.schema import Schema

from relay.schema.compatibility.types import (
    NAMED,
    branches_of,
    element_of,
    full_name,
    kind_of,
    logical_type,
    size_of,
    symbols_of,
)

__all__ = ["branches_listed", "described", "listed", "named"]

# Beyond it a list in a message hides more than it shows.
_SHOWN = 12
_DEPTH = 3


def described(schema: Schema, depth: int = _DEPTH) -> str:
    """A type with what compatibility looks at, such as `enum shop.State of OPEN, SHUT`."""
    match kind_of(schema):
        case "enum":
            return f"{named(schema)} of {listed(symbols_of(schema))}"
        case "fixed":
            return f"{named(schema)} of {size_of(schema)} bytes"
        case "array" | "map" as kind:
            return f"{kind} of {described(element_of(schema), depth - 1)}" if depth else kind
        case "union":
            return f"union of {branches_listed(schema) or 'nothing'}"
        case _:
            return named(schema)


def named(schema: Schema) -> str:
    """A type in a word or two: `record shop.Order`, `long (timestamp-millis)`, `array`."""
    kind = kind_of(schema)
    if kind in NAMED:
        return f"{kind} {full_name(schema)}"
    logical = logical_type(schema)
    return f"{kind} ({logical})" if logical else kind


def branches_listed(union: Schema) -> str:
    """Branches of a union with commas between them; the last of many are counted only."""
    branches = branches_of(union)
    return _joined([named(branch) for branch in branches[:_SHOWN]], len(branches))


def listed(words: Sequence[str]) -> str:
    """Words with commas between them; the last of a long list are counted only."""
    return _joined(words[:_SHOWN], len(words))


def _joined(shown: Sequence[str], count: int) -> str:
    more = f" and {count - len(shown)} more" if count > len(shown) else ""
    return ", ".join(shown) + more
