"""Names, types and defaults in generated Python.

Names are kept apart from those that a generated module uses itself.
"""

from __future__ import annotations

import keyword
from typing import Any

from relay.schema.avro.decoder import natural_default
from relay.schema.avro.names import short_name
from relay.schema.avro.nodes import Field, Node
from relay.schema.catalog.entries import snake_name
from relay.schema.codegen.source import literal

__all__ = [
    "IMPORTS",
    "RELAY",
    "class_of",
    "default_of_field",
    "function_name",
    "snake",
    "type_name",
    "type_of",
]

IMPORTS = {
    "dataclasses": ["dataclass", "field"],
    "datetime": ["date", "datetime", "time"],
    "decimal": ["Decimal"],
    "typing": ["Any", "ClassVar", "Literal", "TypeAlias"],
    "uuid": ["UUID"],
}
RELAY = ["DomainEvent", "Part", "from_base64", "read_avsc"]
# Attributes and methods of every event, and the parameters of its methods.
MEMBERS = frozenset(
    {"aggregate_id", "event_type", "from_json", "metadata", "occurred_at", "payload", "to_json"}
    | {"_checked", "cls", "self"}
)
BUILTINS = frozenset({"bool", "bytes", "dict", "float", "int", "list", "str"})
# In a class body a field with such a name would hide the name.
IN_CLASSES = BUILTINS | {"date", "datetime", "field", "from_base64", "time"}
IN_MODULES = frozenset(
    {name for names in IMPORTS.values() for name in names} | frozenset(RELAY) | BUILTINS
)
IN_INDEX = frozenset({"CatalogEvent", "DomainEventCatalog", "SchemaUnknown", "StrEnum"})
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
    # datetime has no nanoseconds, a string keeps them.
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


def snake(name: str) -> str:
    """Name of an attribute: snake_case of a camelCase or CamelCase name.

    Names that Python or the class uses get a trailing underscore. Two leading underscores, which
    Python would mangle, become one.
    """
    words = snake_name(name)
    if words.startswith("__"):
        words = f"_{words.lstrip('_')}"
    return _free(words, MEMBERS | IN_CLASSES)


def function_name(class_: str) -> str:
    """Name of the function that makes an event of a class."""
    return _free(snake(class_), IN_MODULES)


def type_name(name: str) -> str:
    """Name of a class or an alias, capitalized: a field of the type `colour` often has its name."""
    return _free(name[:1].upper() + name[1:], IN_MODULES | IN_INDEX)


def _free(name: str, taken: frozenset[str]) -> str:
    return f"{name}_" if keyword.iskeyword(name) or name in taken else name


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
            # The encoder decides which branch a value belongs to, so it stays JSON.
            return "Any" if value is None else f"{type_of(value, suffix)} | None"
    return TYPES[node.form]


def default_of_field(field: Field, suffix: str) -> tuple[str, bool]:
    """Expression of a field's default, and whether each object needs a new value."""
    text = _expression(field.node, natural_default(field), suffix)
    return text, text[0] in "[{" or text.endswith(")")


def _expression(node: Node, value: Any, suffix: str) -> str:
    """Python source of a value in natural JSON."""
    if node.form == "union":
        node = _optional_of(node) or node
    if value is None or node.form == "union":
        return literal(value)
    match node.form:
        case "record":
            return f"{class_of(node, suffix)}.from_json({literal(value)})"
        case "array":
            return f"[{', '.join(_expression(node.element, item, suffix) for item in value)}]"
        case "map":
            pairs = ((literal(k), _expression(node.element, v, suffix)) for k, v in value.items())
            return f"{{{', '.join(f'{key}: {item}' for key, item in pairs)}}}"
    read = READERS.get(TYPES.get(node.form, ""))
    return f"{read}({literal(value)})" if read else literal(value)


def _optional_of(node: Node) -> Node | None:
    others = [branch for branch in node.branches if branch.kind != "null"]
    return others[0] if len(others) == 1 and len(node.branches) == 2 else None
