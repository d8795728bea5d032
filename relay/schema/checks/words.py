"""Types, values and places in the words of a review."""

from __future__ import annotations

import json
from typing import Any

from relay.schema.avro.names import short_name
from relay.schema.avro.nodes import ABSENT, Field, Node

__all__ = [
    "ROOT",
    "default_words",
    "item_path",
    "listed",
    "place",
    "same_value",
    "type_words",
    "value_path",
    "value_words",
]

# Paths are JSONPath (RFC 9535) of the values in the payload; branches of a union leave no trace
# there, because the payload writes unions untagged.
ROOT = "$"


def item_path(path: str) -> str:
    """Path of an array's elements: `$.lines` -> `$.lines[*]`."""
    return f"{path}[*]"


def value_path(path: str) -> str:
    """Path of a map's values: `$.labels` -> `$.labels.*`."""
    return f"{path}.*"


def place(path: str) -> str:
    """What a sentence calls a path: `$.lines[*].sku` -> "`lines[*].sku`"."""
    return "The event itself" if path == ROOT else f"`{path.removeprefix(ROOT).lstrip('.')}`"


def type_words(node: Node) -> str:
    """A type, short: `decimal(12, 2) or null`, `array of OrderLine`, `enum Carrier`."""
    match node.form:
        case "decimal":
            return f"decimal({node.precision}, {node.scale}){_in_fixed(node)}"
        case "uuid":
            return f"uuid{_in_fixed(node)}"
        case "union":
            # A union of only null is null; null comes last, as people say it.
            branches = sorted(node.branches, key=lambda branch: branch.kind == "null")
            return " or ".join(type_words(branch) for branch in branches)
        case "array" | "map":
            return f"{node.form} of {type_words(node.element)}"
        case "record" | "enum":
            return f"{node.form} {short_name(node.name)}"
        case "fixed":
            return f"fixed {short_name(node.name)} of {node.size} bytes"
    return node.form


def _in_fixed(node: Node) -> str:
    # Bytes of their own length and those of a fixed are not read as each other.
    return f" in a fixed of {node.size} bytes" if node.kind == "fixed" else ""


def same_value(one: Any, other: Any) -> bool:
    """Whether two values of a schema are one JSON: 1, 1.0 and true differ, an object's order not.

    Python says 1 == True and 1 == 1.0.
    """
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def value_words(value: Any) -> str:
    """A value of a schema as JSON writes it, cut where it is long; a Boolean is true or false."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."


def default_words(field: Field) -> str:
    """`default 0`, `no default`."""
    if field.default is ABSENT:
        return "no default"
    return f"default {value_words(field.default)}"


def listed(names: list[str] | tuple[str, ...]) -> str:
    """Names as a list in a sentence; `none` where it is empty."""
    return ", ".join(names) or "none"
