"""Parsing Canonical Form and fingerprints (Avro 1.12 specification, "Schema Fingerprints")."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256 as _sha256
from typing import Any

import orjson

from relay.errors import CatalogInvalid
from relay.schema.avro.nodes import Node, Schema
from relay.schema.avro.parse import read

__all__ = ["canonical_form", "rabin", "schema_text", "sha256"]


def schema_text(schema: Schema) -> bytes:
    """A schema as JSON, to know it again by. Raises CatalogInvalid where it can't be written."""
    try:
        return orjson.dumps(schema)
    except orjson.JSONEncodeError as error:
        raise CatalogInvalid(
            f"the schema can't be written as JSON: {error}. Nest its types less, and keep numbers "
            "within 64 bits"
        ) from error


def canonical_form(schema: Schema) -> str:
    """Parsing Canonical Form of a schema: what decides how its bytes are read.

    schema: JSON of the schema as parsed from an .avsc file; docs, defaults, aliases and
    logical types are not part of the form.
    Raises CatalogInvalid when it is not an Avro schema.
    """
    return _canonical_form(schema_text(schema))


def rabin(schema: Schema) -> bytes:
    """CRC-64-AVRO of the Parsing Canonical Form, 8 bytes, most significant first.

    Raises CatalogInvalid when it is not an Avro schema.
    """
    return _rabin(schema_text(schema))


def sha256(schema: Schema) -> bytes:
    """SHA-256 of the Parsing Canonical Form, 32 bytes.

    Raises CatalogInvalid when it is not an Avro schema.
    """
    return _sha256(canonical_form(schema).encode()).digest()


@lru_cache(maxsize=4096)
def _rabin(text: bytes) -> bytes:
    from fastavro.schema import fingerprint

    # fastavro gives the digits least significant byte first, as Java's tools print them.
    return bytes.fromhex(fingerprint(_canonical_form(text), "CRC-64-AVRO"))[::-1]


@lru_cache(maxsize=4096)
def _canonical_form(text: bytes) -> str:
    return orjson.dumps(_canonical(read(orjson.loads(text)), set())).decode()


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
