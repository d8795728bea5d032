"""An Avro type in words that people who know JSON understand."""

from __future__ import annotations

from relay.schema.avro.names import short_name
from relay.schema.avro.nodes import Node

__all__ = ["type_in_words"]

WORDS = {
    "boolean": "true or false",
    "int": "whole number (32 bits)",
    "long": "whole number (64 bits)",
    "float": "number (32 bits)",
    "double": "number (64 bits)",
    "string": "text",
    "bytes": "bytes",
    "uuid": "UUID",
    "null": "null",
    "date": "date",
    "time-millis": "time of day to the millisecond",
    "time-micros": "time of day to the microsecond",
    "timestamp-millis": "timestamp to the millisecond",
    "timestamp-micros": "timestamp to the microsecond",
    "timestamp-nanos": "timestamp to the nanosecond",
    "local-timestamp-millis": "local timestamp to the millisecond",
    "local-timestamp-micros": "local timestamp to the microsecond",
    "local-timestamp-nanos": "local timestamp to the nanosecond",
}


def type_in_words(node: Node) -> str:
    """`decimal with 12 digits, 2 of them after the point`; records and enums by their names."""
    match node.form:
        case "record" | "enum":
            return short_name(node.name)
        case "array":
            return f"list of {type_in_words(node.element)}"
        case "map":
            return f"map of text to {type_in_words(node.element)}"
        case "union":
            # null stands last, wherever the schema has it: it is read as "may be missing".
            names = sorted((type_in_words(branch) for branch in node.branches), key="null".__eq__)
            return " or ".join(names)
        case "decimal":
            places = f", {node.scale} of them after the point" if node.scale else ""
            return f"decimal with {node.precision} digits{places}"
        case "fixed":
            return f"{node.size} bytes"
    return WORDS[node.form]
