"""What stands in a type or a field beside its name and the types in it.

Source: Apache Avro 1.12 specification, "Complex Types" and "Aliases"; Apache Avro for Java
1.12.1, `Schema.parse`.
"""

from __future__ import annotations

from typing import Any

from relay.schema.compatibility.invalid import SchemaInvalid, quoted
from relay.schema.compatibility.names import full_alias, is_full_name, is_name
from relay.schema.compatibility.strictness import Strictness

__all__ = [
    "ASCENDING",
    "check_aliases",
    "check_aliases_of_type",
    "check_order",
    "check_size",
    "check_symbols",
]

ASCENDING = "ascending"
_ORDERS = (ASCENDING, "descending", "ignore")
_LARGEST_SIZE = 2**31 - 1


def check_symbols(enum: dict[str, Any], path: str) -> None:
    """Symbols are names, each once, and an enum's default is one. Raises SchemaInvalid.

    The `avro` package takes no letters but the alphabet's in symbols, other than Java.
    """
    symbols = enum.get("symbols")
    if not isinstance(symbols, list):
        raise SchemaInvalid(path, "the enum has no list of 'symbols'. Give one")
    seen: set[str] = set()
    for index, symbol in enumerate(symbols):
        if not isinstance(symbol, str) or not is_name(symbol, Strictness.SPECIFICATION):
            raise SchemaInvalid(f"{path}.symbols[{index}]", f"{quoted(symbol)} is no name")
        if symbol in seen:
            raise SchemaInvalid(
                f"{path}.symbols[{index}]", f"the symbol {symbol!r} is listed twice. Take one out"
            )
        seen.add(symbol)
    if "default" in enum and enum["default"] not in symbols:
        raise SchemaInvalid(
            f"{path}.default", f"{quoted(enum['default'])} is none of the symbols. Name one"
        )


def check_size(fixed: dict[str, Any], path: str) -> None:
    """A fixed has a number of bytes. Raises SchemaInvalid."""
    size = fixed.get("size")
    if type(size) is not int or not 0 <= size <= _LARGEST_SIZE:
        raise SchemaInvalid(
            f"{path}.size", f"{quoted(size)} is no number of bytes from 0 to {_LARGEST_SIZE}"
        )


def check_order(field: dict[str, Any], path: str) -> None:
    """A field's sort order is one that there is. Raises SchemaInvalid."""
    order = field.get("order", ASCENDING)
    if order not in _ORDERS:
        raise SchemaInvalid(
            f"{path}.order", f"{quoted(order)} is none of {', '.join(_ORDERS)}. Take one of them"
        )


def check_aliases(entry: dict[str, Any], path: str) -> None:
    """The aliases of a type or a field are a list of texts. Raises SchemaInvalid."""
    aliases = entry.get("aliases", [])
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise SchemaInvalid(
            f"{path}.aliases", f"{quoted(aliases)} is no list of names. Write one, or leave it"
        )


def check_aliases_of_type(
    schema: dict[str, Any], namespace: str, path: str, strictness: Strictness
) -> None:
    """The aliases of a named type are a list of its other names. Raises SchemaInvalid."""
    check_aliases(schema, path)
    # Java looks at the names of types alone.
    if strictness is Strictness.STANDING:
        return
    for index, alias in enumerate(schema.get("aliases", [])):
        full = full_alias(alias, namespace).removeprefix(".")
        if not is_full_name(full, Strictness.JAVA):
            raise SchemaInvalid(f"{path}.aliases[{index}]", f"{quoted(alias)} is no name")
