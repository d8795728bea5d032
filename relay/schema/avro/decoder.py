"""Avro binary back to natural JSON, with or without resolution to a reader's schema.

fastavro reads the bytes and hands each value that JSON writes otherwise to a reader of ours. To
that end schemas are copied with logical types of our own names, so that fastavro's conversions
(which round decimals and know no nanoseconds) stay out and other users of fastavro in the same
process keep theirs.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from io import BytesIO
from typing import Any
from uuid import UUID

import orjson
from fastavro import schemaless_reader
from fastavro.read import LOGICAL_READERS

from relay.errors import PayloadInvalid
from relay.schema.avro.defaults import default_bytes
from relay.schema.avro.depth import DEEPEST_READ, bytes_too_deep, is_recursive
from relay.schema.avro.fastavro_schema import parsed, schema_of
from relay.schema.avro.fingerprint import schema_text
from relay.schema.avro.forms import LOGICAL, MOST_DIGITS
from relay.schema.avro.nodes import Field, Node, Schema
from relay.schema.avro.parse import read_schema
from relay.schema.avro.times import date_text, instant_text, time_text

__all__ = ["compile_decoder", "compile_resolver", "decode", "natural_default"]

Decoder = Callable[[bytes], Any]
PREFIX = "relay-"
EPOCH = datetime(1970, 1, 1)
# Writing a number down takes the square of its length.
MOST_BITS = (10**MOST_DIGITS).bit_length()


def compile_decoder(writer_schema: Schema) -> Decoder:
    """A function from Avro binary without header to natural JSON, the payload rules' way.

    Timestamps come in UTC with `Z`, decimals with all places of their scale, uuids in lower case.
    NaN and infinities, which other producers may write, come back as Python's floats.
    The function raises PayloadInvalid when the bytes are not of this schema, are cut off, are
    followed by others or nest more than 1,000 levels. Raises CatalogInvalid when the argument is
    not a schema.
    """
    return _compile(schema_text(writer_schema), None)


def decode(writer_schema: Schema, reader_schema: Schema, encoded: bytes) -> Any:
    """Natural JSON in the shape of the reader's schema, by Avro's schema resolution.

    encoded: Avro binary without header, written with writer_schema. Logical types are read as the
    writer meant them. Fields that only the reader has come with their defaults.
    Raises PayloadInvalid when the bytes do not fit or the schemas can't be resolved.
    """
    return compile_resolver(writer_schema, reader_schema)(encoded)


def compile_resolver(writer_schema: Schema, reader_schema: Schema) -> Decoder:
    """The function that `decode` uses, for callers that decode many values of one pair."""
    return _compile(schema_text(writer_schema), schema_text(reader_schema))


def natural_default(node: Node, default: Any) -> Any:
    """Natural JSON of a field's default.

    default: Avro's own JSON form, as it stands in the schema. Raises CatalogInvalid.
    """
    encoded = default_bytes(node, default)
    return _read(BytesIO(encoded), parsed(schema_of(node, logical=_logical)), None)


@lru_cache(maxsize=4096)
def _compile(writer_text: bytes, reader_text: bytes | None) -> Decoder:
    root = read_schema(orjson.loads(writer_text))
    endless = is_recursive(root)
    written = schema_of(root, logical=_logical)
    writer, reader = parsed(written), None
    if reader_text is not None:
        node = read_schema(orjson.loads(reader_text))
        # Between equal types there is nothing to resolve, and reading takes half the time.
        if schema_of(node, logical=_logical) != written:
            reader = parsed(schema_of(node, logical=_logical, default=_natural_default))

    def decode_one(encoded: bytes) -> Any:
        if endless and bytes_too_deep(root, encoded):
            raise PayloadInvalid("$", f"nested beyond {DEEPEST_READ} levels. It can't be read")
        source = BytesIO(encoded)
        value = _read(source, writer, reader)
        if source.tell() != len(encoded):
            raise PayloadInvalid(
                "$", f"{len(encoded) - source.tell()} bytes follow the value: another schema's?"
            )
        return value

    return decode_one


def _read(source: BytesIO, writer: Any, reader: Any) -> Any:
    try:
        return schemaless_reader(source, writer, reader)
    except Exception as error:  # fastavro lets EOFError, IndexError, KeyError, ... through
        reason = str(error) or type(error).__name__
        raise PayloadInvalid("$", f"the bytes are not of this schema: {reason}") from error


def _natural_default(field: Field) -> Any:
    # Our defaults are natural JSON already, which fastavro's own check of them does not know.
    return natural_default(field.node, field.default)


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


def _base64(data: bytes, *_: Any) -> str:
    return b64encode(data).decode()


def _decimal(data: bytes, writer: dict[str, Any], *_: Any) -> str:
    # The point is set by text, since decimal's context of 28 digits would round longer numbers.
    unscaled, scale = int.from_bytes(data, "big", signed=True), writer["scale"]
    # 256 bytes are some 617 digits, of which str() writes 640 however Python is set up.
    digits = str(abs(unscaled)) if len(data) <= 256 else _long_digits(abs(unscaled))
    digits = digits.rjust(scale + 1, "0")
    sign = "-" if unscaled < 0 else ""
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}" if scale else f"{sign}{digits}"


def _long_digits(number: int) -> str:
    if number.bit_length() > MOST_BITS:
        raise ValueError(f"a decimal of more than {MOST_DIGITS:,} digits")
    return format(Decimal(number), "f")


def _uuid(data: str | bytes, *_: Any) -> str:
    return str(UUID(bytes=data) if isinstance(data, bytes) else UUID(data))


def _date(count: int, *_: Any) -> str:
    return date_text(count)


def _micros(count: int, *_: Any) -> str:
    # datetime counts in microseconds itself and is faster than arithmetic of our own.
    return (EPOCH + timedelta(0, 0, count)).isoformat() + "Z"


def _reader(form: str) -> Callable[..., Any]:
    kind, _, unit = form.rpartition("-")
    if kind == "time":
        return lambda count, *_: time_text(count, unit)
    return lambda count, *_: instant_text(count, unit, local=kind.startswith("local"))


_OTHERS: dict[str, Callable[..., Any]] = {
    "date": _date,
    "decimal": _decimal,
    "timestamp-micros": _micros,
    "uuid": _uuid,
}
for _kind, _form in LOGICAL:
    LOGICAL_READERS[f"{_kind}-{PREFIX}{_form}"] = _OTHERS.get(_form) or _reader(_form)
for _kind in ("bytes", "fixed"):
    LOGICAL_READERS[f"{_kind}-{PREFIX}base64"] = _base64
