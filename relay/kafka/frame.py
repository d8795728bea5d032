"""Confluent's wire format: a zero byte and the schema id, followed by the Avro value."""

from __future__ import annotations

import struct

__all__ = ["FrameInvalid", "pack", "unpack"]

# Magic byte, schema id in 4 bytes big-endian.
_FRAME = struct.Struct(">bI")


class FrameInvalid(ValueError):
    """A record's value does not begin with a frame."""


def pack(schema_id: int) -> bytes:
    """Returns the five bytes that precede an Avro value."""
    return _FRAME.pack(0, schema_id)


def unpack(value: bytes | None) -> tuple[int, bytes]:
    """Splits a record's value into schema id and Avro bytes; raises FrameInvalid."""
    if value is None:
        raise FrameInvalid("the record has no value; an event is framed Avro (0, schema id, bytes)")
    if len(value) < _FRAME.size:
        raise FrameInvalid(f"the value of {len(value)} bytes has no schema id before it")
    magic, schema_id = _FRAME.unpack_from(value)
    if magic != 0:
        raise FrameInvalid(f"the value starts with byte {magic & 0xFF}, framed Avro starts with 0")
    return schema_id, value[_FRAME.size :]
