"""A field's default, which a schema writes in Avro's own JSON form, to Avro binary.

Source: Avro 1.12 specification, "Complex Types", table of field default values.
"""

from __future__ import annotations

import struct
from typing import Any

from relay.errors import CatalogInvalid
from relay.schema.avro.nodes import ABSENT, Node
from relay.schema.avro.varint import long_bytes

__all__ = ["default_bytes"]


def default_bytes(node: Node, default: Any) -> bytes:
    """Avro binary of a default.

    default: physical values: timestamps are numbers, bytes and decimals are strings of the
    code points 0-255; a union's default belongs to the first branch that it fits.
    Raises CatalogInvalid when it does not fit the type.
    """
    try:
        return _encode(node, default)
    except (TypeError, ValueError, KeyError, AttributeError, struct.error, OverflowError) as error:
        raise CatalogInvalid(
            f"the default {default!r} does not fit {node.name or node.form}: {error}. Correct it"
        ) from error
    except RecursionError:
        raise CatalogInvalid(
            f"the default {default!r} of {node.name or node.form} has no end: a field of it takes "
            "it again as its own default. Give that field another"
        ) from None


def _encode(node: Node, default: Any) -> bytes:
    kind = node.kind
    if kind in {"record", "union", "array", "map"}:
        return _encode_complex(node, default)
    if kind in {"string", "bytes", "fixed"}:
        raw: bytes = default.encode("utf-8" if kind == "string" else "latin-1")
        if kind == "fixed" and len(raw) != node.size:
            raise ValueError(f"{len(raw)} bytes instead of {node.size}")
        return raw if kind == "fixed" else long_bytes(len(raw)) + raw
    if kind == "enum":
        return long_bytes(node.symbols.index(default))
    if kind == "null" and default is None:
        return b""
    if kind == "boolean" and isinstance(default, bool):
        return bytes((default,))
    if kind in {"int", "long"} and type(default) is int:
        bound = 2**31 if kind == "int" else 2**63
        if -bound <= default < bound:
            return long_bytes(default)
    if kind in {"float", "double"} and type(default) in (int, float):
        return struct.pack("<f" if kind == "float" else "<d", default)
    raise ValueError(f"expected {kind}")


def _encode_complex(node: Node, default: Any) -> bytes:
    match node.kind:
        case "record":
            return b"".join(_field(field.node, default, field) for field in node.fields)
        case "union":
            return _union(node, default)
        case "array":
            items = b"".join(_encode(node.element, item) for item in default)
        case _:
            items = b"".join(
                _encode(Node("string", "string"), key) + _encode(node.element, item)
                for key, item in default.items()
            )
    return long_bytes(len(default)) + items + b"\x00" if default else b"\x00"


def _field(node: Node, record: dict[str, Any], field: Any) -> bytes:
    value = record.get(field.name, field.default)
    if value is ABSENT:
        raise ValueError(f"the field {field.name} is missing")
    return _encode(node, value)


def _union(node: Node, default: Any) -> bytes:
    for index, branch in enumerate(node.branches):
        try:
            return long_bytes(index) + _encode(branch, default)
        except (TypeError, ValueError, KeyError, AttributeError, struct.error, OverflowError):
            continue
    raise ValueError("it fits no branch of the union")
