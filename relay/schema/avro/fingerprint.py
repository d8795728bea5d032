"""Parsing Canonical Form and fingerprints (Avro 1.12 specification, "Schema Fingerprints")."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from hashlib import sha256 as _sha256
from typing import Any, TypeVar

import orjson

from relay.errors import CatalogInvalid
from relay.schema.avro.nodes import Node, Schema, types_of
from relay.schema.avro.parse import read, read_schema

__all__ = ["canonical_form", "logical_digest", "rabin", "schema_text", "sha256"]


T = TypeVar("T")


def schema_text(schema: Schema) -> bytes:
    """Returns a schema as JSON, as a key for caches. Raises CatalogInvalid if that fails."""
    try:
        return orjson.dumps(schema)
    except orjson.JSONEncodeError as error:
        raise CatalogInvalid(
            f"the schema can't be written as JSON: {error}. Nest its types less, and keep numbers "
            "within 64 bits"
        ) from error


def _remembered(function: Callable[[Schema], T]) -> Callable[[Schema], T]:
    """Calls a function once for equal schemas."""
    of_text = lru_cache(maxsize=4096)(lambda text: function(orjson.loads(text)))
    return wraps(function)(lambda schema: of_text(schema_text(schema)))


@_remembered
def canonical_form(schema: Schema) -> str:
    """Parsing Canonical Form: the schema without docs, defaults, aliases and logical types.

    schema: JSON of the schema as parsed from an .avsc file. Raises CatalogInvalid when it is not
    an Avro schema.
    """
    return orjson.dumps(_canonical(read(schema), set())).decode()


@_remembered
def rabin(schema: Schema) -> bytes:
    """CRC-64-AVRO of the Parsing Canonical Form, 8 bytes, most significant first."""
    from fastavro.schema import fingerprint

    # fastavro returns the digits least significant byte first, as Java's tools print them.
    return bytes.fromhex(fingerprint(canonical_form(schema), "CRC-64-AVRO"))[::-1]


def sha256(schema: Schema) -> bytes:
    """SHA-256 of the Parsing Canonical Form, 32 bytes."""
    return _sha256(canonical_form(schema).encode()).digest()


@_remembered
def logical_digest(schema: Schema) -> bytes:
    """SHA-256 of the Parsing Canonical Form together with the logical types, 32 bytes.

    Bytes written under one of two schemas with equal digests mean the same under the other. Docs,
    defaults and aliases are not part of it; precision and scale are, and so are unknown logical
    types, which readers in other languages may know.
    Raises CatalogInvalid when it is not an Avro schema.
    """
    types = [
        [node.form, node.precision, node.scale, node.properties.get("logicalType")]
        for node in types_of(read_schema(schema))
    ]
    # The canonical form fixes the order of the types.
    return _sha256(orjson.dumps([canonical_form(schema), types])).digest()


def _canonical(node: Node, defined: set[str]) -> Any:
    match node.kind:
        case "union":
            return [_canonical(branch, defined) for branch in node.branches]
        case "array":
            return {"type": "array", "items": _canonical(node.element, defined)}
        case "map":
            return {"type": "map", "values": _canonical(node.element, defined)}
    if not node.name:
        return node.kind
    if node.name in defined:
        return node.name
    defined.add(node.name)
    form: dict[str, Any] = {"name": node.name, "type": node.kind}
    match node.kind:
        case "enum":
            form["symbols"] = node.symbols
        case "fixed":
            form["size"] = node.size
        case "record":
            form["fields"] = [
                {"name": field.name, "type": _canonical(field.node, defined)}
                for field in node.fields
            ]
    return form
