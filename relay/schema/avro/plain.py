"""Plain values: what the bytes hold, without logical types, read by fastavro.

Timestamps are counts, decimals their unscaled bytes. A value of a union keeps its branch: as
`Branch` for writing, and as it is read a dict of one key, `branch_key` of the branch's number.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from typing import Any

from fastavro import parse_schema, schemaless_reader

from relay.errors import CatalogInvalid, PayloadInvalid
from relay.schema.avro.nodes import Node
from relay.schema.avro.varint import block, long_bytes, sized

__all__ = ["Branch", "branch_key", "parsed", "plain_schema", "read", "schema_of", "write"]

_FLOAT, _DOUBLE = struct.Struct("<f").pack, struct.Struct("<d").pack


@dataclass(frozen=True)
class Branch:
    """A value of a union and the number of its branch."""

    index: int
    value: Any


def branch_key(index: int) -> str:
    """Key of a union's branch in a plain value that was read."""
    return f"_{index}"


def read(source: BytesIO, schema: Any) -> Any:
    """Reads one value with a schema of `plain_schema` or `parsed`. Raises PayloadInvalid."""
    try:
        return schemaless_reader(source, schema, None)
    except Exception as error:  # fastavro raises EOFError, IndexError, KeyError, ...
        reason = str(error) or type(error).__name__
        raise PayloadInvalid("$", f"the bytes are not of this schema: {reason}") from error


def write(node: Node, value: Any) -> bytes:
    """Avro binary of a plain value, which must fit its type."""
    match node.kind:
        case "record":
            return b"".join(write(field.node, value[field.name]) for field in node.fields)
        case "array":
            return block([write(node.element, item) for item in value])
        case "map":
            return block([sized(k.encode()) + write(node.element, v) for k, v in value.items()])
        case "union":
            return long_bytes(value.index) + write(node.branches[value.index], value.value)
        case "enum":
            return long_bytes(node.symbols.index(value))
        case kind:
            return _WRITERS[kind](value)


_WRITERS: dict[str, Callable[[Any], bytes]] = {
    "null": lambda _: b"",
    "boolean": lambda value: bytes((value,)),
    "int": long_bytes,
    "long": long_bytes,
    "float": _FLOAT,
    "double": _DOUBLE,
    "string": lambda value: sized(value.encode()),
    "bytes": sized,
    "fixed": bytes,
}


def parsed(schema: Any) -> Any:
    """Parses a schema with fastavro. Raises CatalogInvalid."""
    try:
        return parse_schema(schema)
    except Exception as error:  # fastavro raises KeyError and TypeError for malformed schemas
        raise CatalogInvalid(f"not a valid Avro schema: {error}. Correct it") from error


def plain_schema(root: Node) -> Any:
    """The schema of a type's plain values, parsed by fastavro.

    Each branch of a union becomes a record of one field, whose bytes are those of the branch.
    """
    return parsed(schema_of(root, lambda _: {}, tagged=True))


def schema_of(
    root: Node, logical: Callable[[Node], dict[str, Any]], *, tagged: bool = False
) -> Any:
    """Returns the JSON of a type for fastavro to read bytes with.

    Types have numbers for names, since no bytes depend on names. logical: attributes of a type's
    logical type. tagged: with records for the branches of unions, see `plain_schema`.
    """
    names: dict[Node, str] = {}
    numbers = count()

    def of(node: Node) -> Any:
        if node in names:
            return names[node]
        named = {}
        if node.name:
            names[node] = f"T{next(numbers)}"
            named = {"type": node.kind, "name": names[node]}
        match node.kind:
            case "record":
                fields = [{"name": field.name, "type": of(field.node)} for field in node.fields]
                return {**named, "fields": fields}
            case "array":
                return {"type": "array", "items": of(node.element)}
            case "map":
                return {"type": "map", "values": of(node.element)}
            case "union":
                branches = enumerate(node.branches)
                return [branch(n, each) if tagged else of(each) for n, each in branches]
            case "enum":
                return {**named, "symbols": list(node.symbols)}
            case "fixed":
                return {**named, "size": node.size, **logical(node)}
        return {"type": node.kind, **logical(node)}

    def branch(index: int, node: Node) -> Any:
        name = f"B{next(numbers)}"
        field = {"name": branch_key(index), "type": of(node)}
        return {"type": "record", "name": name, "fields": [field]}

    return of(root)
