"""Parsing Canonical Form and fingerprints (Avro 1.12 specification, "Schema Fingerprints")."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256 as _sha256
from typing import Any

import orjson

from relay.errors import CatalogInvalid

__all__ = ["Schema", "canonical_form", "rabin", "schema_text", "sha256"]

Schema = dict[str, Any] | list[Any] | str


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
    logical types are no part of the form.
    Raises CatalogInvalid when it is no Avro schema.
    """
    return _canonical_form(schema_text(schema))


def rabin(schema: Schema) -> bytes:
    """CRC-64-AVRO of the Parsing Canonical Form, 8 bytes, most significant first.

    Raises CatalogInvalid when it is no Avro schema.
    """
    return _rabin(schema_text(schema))


def sha256(schema: Schema) -> bytes:
    """SHA-256 of the Parsing Canonical Form, 32 bytes.

    Raises CatalogInvalid when it is no Avro schema.
    """
    return _sha256(canonical_form(schema).encode()).digest()


@lru_cache(maxsize=4096)
def _rabin(text: bytes) -> bytes:
    from fastavro.schema import fingerprint

    # fastavro gives the digits least significant byte first, as Java's tools print them.
    return bytes.fromhex(fingerprint(_canonical_form(text), "CRC-64-AVRO"))[::-1]


@lru_cache(maxsize=4096)
def _canonical_form(text: bytes) -> str:
    # The import takes longer than everything else that `import relay` does.
    from fastavro.schema import parse_schema, to_parsing_canonical_form

    try:
        # The parsed marker is not set: a schema that carries it would be taken unread.
        parsed = parse_schema(orjson.loads(text), _force=True, _ignore_default_error=True)
        return str(to_parsing_canonical_form(parsed))
    except Exception as error:  # fastavro raises KeyError and TypeError for malformed schemas
        raise CatalogInvalid(f"no valid Avro schema: {error}. Correct the schema") from error
