"""What a fingerprint leaves out and readers go by all the same: logical types."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

import orjson

from relay.schema.avro.fingerprint import canonical_form, schema_text
from relay.schema.avro.nodes import Schema, types_of
from relay.schema.avro.parse import read_schema

__all__ = ["logical_digest"]


def logical_digest(schema: Schema) -> bytes:
    """SHA-256 of the Parsing Canonical Form together with the logical types, 32 bytes.

    Two schemas that share it write a value as the same bytes, which mean the same to a reader;
    docs, defaults and aliases are not part of it. A decimal's precision and scale are, and so is a
    logicalType that is not understood here: a reader in another language may know it.
    schema: JSON of the schema as parsed from an .avsc file. Raises CatalogInvalid when it is no
    Avro schema or uses `duration`.
    """
    return _digest(schema_text(schema))


@lru_cache(maxsize=4096)
def _digest(text: bytes) -> bytes:
    schema = orjson.loads(text)
    types = [
        [node.form, node.precision, node.scale, node.properties.get("logicalType")]
        for node in types_of(read_schema(schema))
    ]
    # The form has the same types in the same places for both, or differs itself.
    return sha256(orjson.dumps([canonical_form(schema), types])).digest()
