"""What is written in a type or a field beside its name and the types in it.

Source: Apache Avro 1.12 specification, "Complex Types" and "Aliases"; Apache Avro for Java
1.12.1, `Schema.parse`.
"""

from __future__ import annotations

from typing import Any

from relay.schema.avro.invalid import SchemaInvalid, quoted
from relay.schema.avro.names import full_alias, is_full_name, is_name
from relay.schema.avro.nodes import ASCENDING
from relay.schema.avro.strictness import Strictness

__all__ = ["aliases_of", "full_aliases_of", "order_of", "size_of", "symbols_of"]

_ORDERS = (ASCENDING, "descending", "ignore")
_LARGEST_SIZE = 2**31 - 1


def symbols_of(enum: dict[str, Any], path: str, strictness: Strictness) -> tuple[str, ...]:
    """Symbols of an enum: names, each once, one of them its default. Raises SchemaInvalid."""
    symbols = enum.get("symbols")
    if not isinstance(symbols, list):
        raise SchemaInvalid(path, "the enum has no list of 'symbols'. Give one")
    seen: set[str] = set()
    for index, symbol in enumerate(symbols):
        place = f"{path}.symbols[{index}]"
        if not isinstance(symbol, str) or not is_name(symbol, strictness):
            raise SchemaInvalid(place, f"{quoted(symbol)} is not a name")
        if symbol in seen:
            raise SchemaInvalid(place, f"the symbol {symbol!r} is listed twice. Remove one")
        seen.add(symbol)
    if "default" in enum and enum["default"] not in symbols:
        raise SchemaInvalid(
            f"{path}.default", f"{quoted(enum['default'])} is none of the symbols. Name one"
        )
    return tuple(symbols)


def size_of(fixed: dict[str, Any], path: str) -> int:
    """The number of bytes of a fixed. Raises SchemaInvalid."""
    size = fixed.get("size")
    if type(size) is not int or not 0 <= size <= _LARGEST_SIZE:
        raise SchemaInvalid(
            f"{path}.size", f"{quoted(size)} is not a number of bytes from 0 to {_LARGEST_SIZE}"
        )
    return size


def order_of(field: dict[str, Any], path: str) -> str:
    """The sort order of a field. Raises SchemaInvalid."""
    order = field.get("order", ASCENDING)
    if order not in _ORDERS:
        raise SchemaInvalid(
            f"{path}.order", f"{quoted(order)} is none of {', '.join(_ORDERS)}. Use one of them"
        )
    return str(order)


def aliases_of(entry: dict[str, Any], path: str) -> tuple[str, ...]:
    """Aliases of a type or a field as they are written. Raises SchemaInvalid."""
    aliases = entry.get("aliases", [])
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise SchemaInvalid(
            f"{path}.aliases", f"{quoted(aliases)} is not a list of names. Write one, or leave it"
        )
    return tuple(aliases)


def full_aliases_of(
    schema: dict[str, Any], namespace: str, path: str, strictness: Strictness
) -> tuple[str, ...]:
    """Aliases of a named type with their namespaces. Raises SchemaInvalid."""
    found = []
    for index, alias in enumerate(aliases_of(schema, path)):
        full = full_alias(alias, namespace)
        if strictness is not Strictness.STANDING and not is_full_name(
            full.removeprefix("."), Strictness.JAVA
        ):
            raise SchemaInvalid(f"{path}.aliases[{index}]", f"{quoted(alias)} is not a name")
        found.append(full)
    return tuple(found)
