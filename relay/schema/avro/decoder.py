"""Decodes Avro binary to natural JSON, with or without resolution to a reader's schema.

fastavro reads the bytes. Its own conversions round decimals and lack nanoseconds, so it gets
schemas whose logical types have names of ours, with conversions registered under these names.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from typing import Any

import orjson
from fastavro.read import LOGICAL_READERS

from relay.errors import CatalogInvalid, PayloadInvalid
from relay.schema.avro.defaults import default_bytes
from relay.schema.avro.depth import DEEPEST_READ, bytes_too_deep, is_recursive
from relay.schema.avro.fingerprint import logical_digest, schema_text
from relay.schema.avro.nodes import Field, Node, Schema
from relay.schema.avro.parse import read_schema
from relay.schema.avro.plain import parsed, plain_schema, read, schema_of
from relay.schema.avro.resolver import resolution
from relay.schema.avro.supported import LOGICAL
from relay.schema.avro.to_json import decimal_text, json_of

__all__ = ["compile_decoder", "compile_resolver", "decode", "natural_default"]

Decoder = Callable[[bytes], Any]
PREFIX = "relay-"


def compile_decoder(writer_schema: Schema) -> Decoder:
    """Returns a function from Avro binary without header to natural JSON.

    Timestamps are in UTC with `Z`, decimals have all places of their scale, uuids are in lower
    case. NaN and infinities, which other producers may write, become Python's floats.
    The function raises PayloadInvalid when the bytes are not of this schema, are cut off, have
    others after them or nest more than 1,000 levels. Raises CatalogInvalid when the argument is
    not an Avro schema.
    """
    return _compile(schema_text(writer_schema), None)


def decode(writer_schema: Schema, reader_schema: Schema, encoded: bytes) -> Any:
    """Decodes to natural JSON of the reader's schema, by Avro's schema resolution.

    encoded: Avro binary without header, written with writer_schema. Logical types are those of the
    reader, as Java has it, see `relay.schema.avro.resolver`. Fields that only the reader has get
    their defaults.
    Raises PayloadInvalid when the bytes do not fit or the schemas can't be resolved.
    """
    return compile_resolver(writer_schema, reader_schema)(encoded)


def compile_resolver(writer_schema: Schema, reader_schema: Schema) -> Decoder:
    """Returns the function that `decode` calls, for many values of one pair of schemas."""
    return _compile(schema_text(writer_schema), schema_text(reader_schema))


def natural_default(field: Field) -> Any:
    """Returns a field's default, which the schema has in Avro's JSON, in natural JSON.

    Raises CatalogInvalid when it does not fit the type.
    """
    encoded = default_bytes(field.node, field.default)
    try:
        return _decode(encoded, parsed(schema_of(field.node, _logical)))
    except PayloadInvalid as error:
        raise CatalogInvalid(
            f"the default of {field.name} can't be read: {error.problem}. Correct it"
        ) from error


@lru_cache(maxsize=4096)
def _compile(writer_text: bytes, reader_text: bytes | None) -> Decoder:
    writer_schema = orjson.loads(writer_text)
    root = read_schema(writer_schema)
    convert: Callable[[Any], Any] | None = None
    if reader_text is not None:
        reader_schema = orjson.loads(reader_text)
        # Without resolution, which equal types don't need, reading takes half the time.
        if logical_digest(reader_schema) != logical_digest(writer_schema):
            convert = resolution(root, read_schema(reader_schema), natural_default)
    schema = parsed(schema_of(root, _logical)) if convert is None else plain_schema(root)
    endless = is_recursive(root)

    def decode_one(encoded: bytes) -> Any:
        if endless and bytes_too_deep(root, encoded):
            raise PayloadInvalid("$", f"nested beyond {DEEPEST_READ} levels, so it can't be read")
        value = _decode(encoded, schema)
        return value if convert is None else convert(value)

    return decode_one


def _decode(encoded: bytes, schema: Any) -> Any:
    source = BytesIO(encoded)
    value = read(source, schema)
    if source.tell() != len(encoded):
        raise PayloadInvalid(
            "$", f"{len(encoded) - source.tell()} bytes follow the value: another schema's?"
        )
    return value


def _logical(node: Node) -> dict[str, Any]:
    if node.form in {"bytes", "fixed"}:
        return {"logicalType": PREFIX + "base64"}
    if node.form == node.kind:
        return {}
    return {
        "logicalType": PREFIX + node.form,
        "precision": node.precision,
        "scale": node.scale,
    }


def _registered(node: Node) -> Callable[..., Any]:
    if node.form == "decimal":
        return lambda data, writer, *_: decimal_text(data, writer["scale"])
    convert = json_of(node)
    assert convert is not None
    return lambda value, *_: convert(value)


for _kind, _form in LOGICAL:
    LOGICAL_READERS[f"{_kind}-{PREFIX}{_form}"] = _registered(Node(_kind, _form))
for _kind in ("bytes", "fixed"):
    LOGICAL_READERS[f"{_kind}-{PREFIX}base64"] = _registered(Node(_kind, _kind))
