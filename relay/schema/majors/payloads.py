"""What a converter between major versions is given of a record."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import orjson

from relay.schema.avro.decoder import compile_decoder, compile_resolver
from relay.schema.avro.fingerprint import schema_text
from relay.schema.avro.nodes import Schema
from relay.schema.avro.parse import read
from relay.schema.compatibility.check import Check

__all__ = ["payload_decoder", "reads"]


def payload_decoder(writer: Schema, current: Schema) -> Callable[[bytes], Any]:
    """The function from Avro without header to the natural JSON that a converter is given.

    It has the shape of `current`, by Avro's schema resolution; where `current` can't read what was
    written, as FORWARD compatibility allows of what is older, that of `writer`.
    The function raises PayloadInvalid when the bytes do not fit. Raises CatalogInvalid when
    one of the two is not a schema.
    """
    return _compile(schema_text(writer), schema_text(current))


def reads(reader: Schema, writer: Schema) -> bool:
    """Whether data written with `writer` can be read with `reader`, by Java's rules.

    Raises CatalogInvalid when one of the two is not a schema.
    """
    return _reads(schema_text(reader), schema_text(writer))


@lru_cache(maxsize=1024)
def _compile(writer: bytes, current: bytes) -> Callable[[bytes], Any]:
    if _reads(current, writer):
        return compile_resolver(orjson.loads(writer), orjson.loads(current))
    return compile_decoder(orjson.loads(writer))


def _reads(reader: bytes, writer: bytes) -> bool:
    # Neither is new: whether its names and defaults are good was judged before.
    return Check(read(orjson.loads(reader)), read(orjson.loads(writer))).compatible
