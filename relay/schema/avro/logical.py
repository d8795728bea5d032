"""What a fingerprint leaves out and readers go by all the same: logical types."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from typing import Any

import orjson

from relay.schema.avro.fingerprint import canonical_form, schema_text
from relay.schema.avro.nodes import Node, Schema
from relay.schema.avro.parse import read_schema

__all__ = ["logical_digest"]


def logical_digest(schema: Schema) -> bytes:
    """SHA-256 of the Parsing Canonical Form together with the logical types, 32 bytes.

    Two schemas that share it write a value as the same bytes, which mean the same to a reader;
    docs, defaults and aliases are no part of it. A decimal's precision and scale are, and so is a
    logicalType that is not understood here: a reader in another language may know it.
    schema: JSON of the schema as parsed from an .avsc file. Raises CatalogInvalid when it is no
    Avro schema or uses `duration`.
    """
    return _digest(schema_text(schema))


@lru_cache(maxsize=4096)
def _digest(text: bytes) -> bytes:
    schema = orjson.loads(text)
    # The form has the same types in the same places for both, or differs itself.
    return sha256(orjson.dumps([canonical_form(schema), list(_types(schema))])).digest()


def _types(schema: Schema) -> Iterator[list[Any]]:
    """Each type in the order of the text, a named one where it is defined."""
    seen: set[Node] = set()
    waiting = [read_schema(schema)]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        unknown = node.properties.get("logicalType")
        yield [node.form, node.precision, node.scale, unknown]
        waiting += reversed(node.parts)
