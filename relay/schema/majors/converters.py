"""Runs the converters between major versions: payloads up to a newer one, down to an older one.

A converter is a Python file beside the schemas with two functions from natural JSON to natural
JSON: `up(payload)` from the major version before it, `down(payload)` back to that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson

from relay.errors import CatalogInvalid, PayloadInvalid
from relay.schema.avro.decoder import compile_decoder, compile_resolver
from relay.schema.avro.fingerprint import schema_text
from relay.schema.avro.nodes import Schema
from relay.schema.avro.parse import read
from relay.schema.catalog.catalog import Catalog
from relay.schema.catalog.entries import EventType
from relay.schema.compatibility.check import Check

__all__ = ["Convert", "conversion", "payload_decoder", "reads"]

Convert = Callable[[Any], Any]


def conversion(catalog: Catalog, source: str, target: str) -> Convert:
    """Returns the function from payloads of one major version to those of another.

    source, target: event types of one family, any distance apart. Payloads have the shape of the
    current versions; the source's may have that of an older one that the current one can't read.
    The function raises PayloadInvalid when a converter fails.
    Raises CatalogInvalid when a converter's file can't be run or lacks its function.
    """
    family = catalog.family(source)
    names = [event_type.name for event_type in family]
    start, end = names.index(source), names.index(target)
    if start <= end:
        steps = [_step(family[n], "up", names[n - 1], names[n]) for n in range(start + 1, end + 1)]
    else:
        steps = [_step(family[n], "down", names[n], names[n - 1]) for n in range(start, end, -1)]

    def convert(payload: Any) -> Any:
        for step in steps:
            payload = step(payload)
        return payload

    return convert


def _step(event_type: EventType, name: str, source: str, target: str) -> Convert:
    assert event_type.converter is not None
    path = event_type.converter
    try:
        code = path.read_bytes()
    except OSError as error:
        raise CatalogInvalid(
            f"{path}: the converter can't be read: {error.strerror}. Put it back"
        ) from error
    function = _module(path, code).get(name)
    if not callable(function):
        raise CatalogInvalid(
            f"{path} has no function {name}(payload) from {source} to {target}. Write it"
        )

    def step(payload: Any) -> Any:
        try:
            return function(payload)
        except KeyboardInterrupt:
            raise  # by the user
        except BaseException as error:
            raise PayloadInvalid(
                "$", f"{path.name}, {name}: {source} can't be converted to {target}: {error!r}"
            ) from error

    return step


@lru_cache(maxsize=256)
def _module(path: Path, code: bytes) -> dict[str, Any]:
    """Runs the file and returns its names. Python's own loader would use a stale compiled file
    where a change kept size and second."""
    module = ModuleType(f"relay_converter_{path.stem}")
    module.__file__ = str(path)
    try:
        exec(compile(code, str(path), "exec", dont_inherit=True), vars(module))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise CatalogInvalid(
            f"{path}: the converter can't be run: {error!r}. Correct it"
        ) from error
    return vars(module)


def payload_decoder(writer: Schema, current: Schema) -> Callable[[bytes], Any]:
    """Returns the function from Avro without header to the natural JSON that a converter gets.

    The payload has the shape of `current`, by Avro's schema resolution; where `current` can't read
    it, as FORWARD compatibility permits for older versions, that of `writer`.
    The function raises PayloadInvalid when the bytes do not fit. Raises CatalogInvalid when
    one of the two is not a schema.
    """
    return _compile(schema_text(writer), schema_text(current))


def reads(reader: Schema, writer: Schema) -> bool:
    """Returns whether data written with `writer` can be read with `reader`, by Java's rules.

    Raises CatalogInvalid when one of the two is not a schema.
    """
    return _reads(schema_text(reader), schema_text(writer))


@lru_cache(maxsize=1024)
def _compile(writer: bytes, current: bytes) -> Callable[[bytes], Any]:
    if _reads(current, writer):
        return compile_resolver(orjson.loads(writer), orjson.loads(current))
    return compile_decoder(orjson.loads(writer))


def _reads(reader: bytes, writer: bytes) -> bool:
    # Neither is new: names and defaults were checked before.
    return Check(read(orjson.loads(reader)), read(orjson.loads(writer))).compatible
