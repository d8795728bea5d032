"""Names in generated Python: what a module uses itself no type, field or function may be called."""

from __future__ import annotations

import keyword

from relay.schema.catalog.entries import snake_name

__all__ = ["IMPORTS", "RELAY", "function_name", "parameter_name", "snake", "type_name"]

IMPORTS = {
    "dataclasses": ["dataclass", "field"],
    "datetime": ["date", "datetime", "time"],
    "decimal": ["Decimal"],
    "typing": ["Any", "ClassVar", "Literal", "TypeAlias"],
    "uuid": ["UUID"],
}
RELAY = ["DomainEvent", "Metadata", "Part", "envelope", "from_base64"]
# Attributes and methods that every event has, and the parameters of its methods.
MEMBERS = frozenset(
    {"aggregate_id", "event_type", "from_json", "metadata", "occurred_at", "payload", "to_json"}
    | {"_checked", "cls", "self"}
)
BUILTINS = frozenset({"bool", "bytes", "dict", "float", "int", "list", "str"})
# A field of such a name would stand in a class before the name itself, and hide it.
IN_CLASSES = BUILTINS | {"date", "datetime", "envelope", "field", "from_base64", "time"}
IN_MODULES = frozenset(
    {name for names in IMPORTS.values() for name in names} | {*RELAY, "json"} | BUILTINS
)
IN_INDEX = frozenset({"CatalogEvent", "DomainEventCatalog", "SchemaUnknown", "StrEnum"})


def snake(name: str) -> str:
    """Name of an attribute: snake_case of a camelCase or CamelCase name.

    An underscore follows what Python or the class has a meaning for. Python gives names
    with two in front another meaning, so one is left.
    """
    words = snake_name(name)
    if words.startswith("__"):
        words = f"_{words.lstrip('_')}"
    return _free(words, MEMBERS | IN_CLASSES)


def function_name(class_: str) -> str:
    """Name of the function that makes an event of a class."""
    return _free(snake(class_), IN_MODULES)


def parameter_name(aggregate: str) -> str:
    """Name of the parameter for an aggregate's id; aggregate_id where its type makes no name."""
    name = f"{snake(aggregate)}_id"
    return name if name.isidentifier() and name.isascii() else "aggregate_id"


def type_name(name: str) -> str:
    """Name of a class or an alias: an attribute of a type `colour` is called so already."""
    return _free(name[:1].upper() + name[1:], IN_MODULES | IN_INDEX)


def _free(name: str, taken: frozenset[str]) -> str:
    return f"{name}_" if keyword.iskeyword(name) or name in taken else name
