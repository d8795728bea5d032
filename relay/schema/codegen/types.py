"""From Avro types to Python types, and from their natural JSON to Python values."""

from __future__ import annotations

from typing import Any

from relay.schema.avro.decoder import natural_default
from relay.schema.avro.names import short_name
from relay.schema.avro.nodes import Field, Node
from relay.schema.codegen.names import type_name
from relay.schema.codegen.source import literal

__all__ = ["class_of", "default_of", "default_of_field", "reader_of", "type_of"]

TYPES = {
    "null": "None",
    "boolean": "bool",
    "int": "int",
    "long": "int",
    "float": "float",
    "double": "float",
    "string": "str",
    "bytes": "bytes",
    "fixed": "bytes",
    "decimal": "Decimal",
    "uuid": "UUID",
    "date": "date",
    "time-millis": "time",
    "time-micros": "time",
    "timestamp-millis": "datetime",
    "timestamp-micros": "datetime",
    "local-timestamp-millis": "datetime",
    "local-timestamp-micros": "datetime",
    # datetime has no nanoseconds; the text loses none.
    "timestamp-nanos": "str",
    "local-timestamp-nanos": "str",
}
READERS = {
    "Decimal": "Decimal",
    "UUID": "UUID",
    "date": "date.fromisoformat",
    "time": "time.fromisoformat",
    "datetime": "datetime.fromisoformat",
    "bytes": "from_base64",
}


def class_of(node: Node, suffix: str) -> str:
    """Python name of a record or an enum. suffix: empty, or `Version<N>`."""
    return type_name(short_name(node.name) + suffix)


def type_of(node: Node, suffix: str) -> str:
    """Type annotation of a field."""
    match node.form:
        case "record" | "enum":
            return class_of(node, suffix)
        case "array":
            return f"list[{type_of(node.element, suffix)}]"
        case "map":
            return f"dict[str, {type_of(node.element, suffix)}]"
        case "union":
            value = _optional_of(node)
            # Which branch a text means is decided by the encoder, so such values stay JSON.
            return "Any" if value is None else f"{type_of(value, suffix)} | None"
    return TYPES[node.form]


def reader_of(node: Node, suffix: str) -> str | None:
    """Expression of a function from natural JSON to the Python value; None where they are one."""
    match node.form:
        case "record":
            return f"{class_of(node, suffix)}.from_json"
        case "array":
            item = reader_of(node.element, suffix)
            return f"each({item})" if item else "list"
        case "map":
            item = reader_of(node.element, suffix)
            return f"each_value({item})" if item else "dict"
        case "union":
            value = _optional_of(node)
            read = reader_of(value, suffix) if value else None
            return f"optional({read})" if read else None
    return READERS.get(TYPES.get(node.form, ""))


def default_of(node: Node, value: Any, suffix: str) -> tuple[str, bool]:
    """Expression of a default, and whether it must be evaluated again for each object.

    value: natural JSON of the default.
    """
    if value is not None and node.form == "union":
        node = _optional_of(node) or node
    read = None if value is None else reader_of(node, suffix)
    if read in {None, "list", "dict"} or (isinstance(value, list | dict) and not value):
        return literal(value), isinstance(value, dict | list)
    return f"{read}({literal(value)})", True


def default_of_field(field: Field, suffix: str) -> tuple[str, bool]:
    """The same of a field that has a default."""
    return default_of(field.node, natural_default(field.node, field.default), suffix)


def _optional_of(node: Node) -> Node | None:
    others = [branch for branch in node.branches if branch.kind != "null"]
    return others[0] if len(others) == 1 and len(node.branches) == 2 else None
