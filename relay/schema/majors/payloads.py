"""What a converter between major versions is given of a record."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import orjson

from relay.errors import CatalogInvalid
from relay.schema.avro.decoder import compile_decoder, compile_resolver
from relay.schema.avro.fingerprint import Schema, schema_text
from relay.schema.compatibility.check import Check
from relay.schema.compatibility.parse import SchemaInvalid, parse
from relay.schema.compatibility.strictness import Strictness

__all__ = ["payload_decoder", "reads"]


def payload_decoder(writer: Schema, current: Schema) -> Callable[[bytes], Any]:
    """The function from Avro without header to the natural JSON that a converter is given.

    It has the shape of `current`, by Avro's schema resolution; where `current` can't read what was
    written, as FORWARD compatibility allows of what is older, that of `writer`.
    The function raises PayloadInvalid when the bytes do not fit. Raises CatalogInvalid when
    one of the two is no schema.
    """
    return _compile(schema_text(writer), schema_text(current))


def reads(reader: Schema, writer: Schema) -> bool:
    """Whether data written with `writer` can be read with `reader`, by Java's rules.

    Raises CatalogInvalid when one of the two is no schema.
    """
    return _reads(schema_text(reader), schema_text(writer))


@lru_cache(maxsize=1024)
def _compile(writer: bytes, current: bytes) -> Callable[[bytes], Any]:
    if _reads(current, writer):
        return compile_resolver(orjson.loads(writer), orjson.loads(current))
    return compile_decoder(orjson.loads(writer))


def _reads(reader: bytes, writer: bytes) -> bool:
    try:
        # Neither is new: whether its names and defaults are good was judged before.
        pair = [parse(text.decode(), strictness=Strictness.STANDING) for text in (reader, writer)]
    except SchemaInvalid as error:
        raise CatalogInvalid(f"no valid Avro schema: {error}. Correct the schema") from error
    return Check(*pair).compatible
