"""Types, values and places in the words of a review."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from relay.schema.avro.names import short_name
from relay.schema.avro.nodes import ABSENT, Field, Node

__all__ = [
    "ROOT",
    "cut",
    "default_words",
    "item_path",
    "listed",
    "place",
    "same_value",
    "type_words",
    "value_path",
    "value_words",
]

# Paths are JSONPath (RFC 9535) of the value in the payload. Branches of a union do not appear in
# them, because the payload has unions untagged.
ROOT = "$"


def item_path(path: str) -> str:
    """Path of an array's elements: `$.lines` -> `$.lines[*]`."""
    return f"{path}[*]"


def value_path(path: str) -> str:
    """Path of a map's values: `$.labels` -> `$.labels.*`."""
    return f"{path}.*"


def place(path: str) -> str:
    """A path in a sentence: `$.lines[*].sku` -> "`lines[*].sku`"."""
    return "The event itself" if path == ROOT else f"`{path.removeprefix(ROOT).lstrip('.')}`"


def type_words(node: Node) -> str:
    """A type, short: `decimal(12, 2) or null`, `array of OrderLine`, `enum Carrier`."""
    match node.form:
        case "decimal":
            return f"decimal({node.precision}, {node.scale}){_in_fixed(node)}"
        case "uuid":
            return f"uuid{_in_fixed(node)}"
        case "union":
            # Null comes last, as people say it.
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
    # Readers can't turn bytes into a fixed or back.
    return f" in a fixed of {node.size} bytes" if node.kind == "fixed" else ""


def same_value(one: Any, other: Any) -> bool:
    """Compares values of a schema as JSON: 1, 1.0 and true differ, which are equal in Python."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def value_words(value: Any) -> str:
    """A value of a schema as JSON, cut to 120 characters."""
    return cut(json.dumps(value, ensure_ascii=False), 120)


def cut(text: str, most: int) -> str:
    """Cuts a string to at most so many characters; a cut one ends with dots."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def default_words(field: Field) -> str:
    """`default 0`, `no default`."""
    if field.default is ABSENT:
        return "no default"
    return f"default {value_words(field.default)}"


def listed(names: Iterable[str]) -> str:
    """Names for a sentence; `none` where there are none."""
    return ", ".join(names) or "none"
