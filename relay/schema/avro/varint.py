"""Avro's zig-zag integers, and lengths and blocks made of them.

Source: Apache Avro 1.12 specification, "Binary Encoding".
"""

from __future__ import annotations

__all__ = ["LAST", "MIDDLE", "SMALL", "block", "long_bytes", "sized"]


def _pairs(last: bool) -> tuple[bytes, ...]:
    return tuple(
        bytes((n & 0x7F,))
        if last and n < 0x80
        else bytes(((n & 0x7F) | 0x80, n >> 7 | (0 if last else 0x80)))
        for n in range(1 << 14)
    )


# 14 bits of an encoded integer at once: MIDDLE where more follow, LAST where none do.
MIDDLE = _pairs(last=False)
LAST = _pairs(last=True)
# The whole encoding of 0..8191, which covers most lengths and counts.
SMALL = LAST[::2]


def long_bytes(value: int) -> bytes:
    """Avro `int` or `long` of a value in -2**63..2**63-1 (the caller has checked the range)."""
    rest = value << 1 if value >= 0 else ~(value << 1)
    if rest < 0x4000:
        return LAST[rest]
    pieces = []
    while rest >= 0x4000:
        pieces.append(MIDDLE[rest & 0x3FFF])
        rest >>= 14
    pieces.append(LAST[rest])
    return b"".join(pieces)


def sized(encoded: bytes) -> bytes:
    """Bytes with their length before them: Avro's `bytes` and `string`."""
    return long_bytes(len(encoded)) + encoded


def block(items: list[bytes]) -> bytes:
    """Encoded items of an array or a map as one block, and the empty block that ends it."""
    return long_bytes(len(items)) + b"".join(items) + b"\x00" if items else b"\x00"
