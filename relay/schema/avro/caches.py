"""Encodings that the fast path of the encoder remembers, since values repeat between events."""

from __future__ import annotations

from relay.schema.avro.scalars import Encode
from relay.schema.avro.times import instant
from relay.schema.avro.varint import LAST, MIDDLE

__all__ = ["MICRO", "MILLI", "SECONDS", "UTC_ENDS", "Remembered"]

LIMIT = 4096
# Three digits of a fraction as zig-zag has them, doubled: thousandths and millionths.
MICRO = {f"{n:03d}": 2 * n for n in range(1000)}
MILLI = {f"{n:03d}": 2000 * n for n in range(1000)}
UTC_ENDS = frozenset({"Z", "+00:00"})


class Remembered(dict[object, bytes]):
    """Value -> encoding, of one scalar type; starts over at 4,096 entries."""

    def __init__(self, encode: Encode) -> None:
        super().__init__()
        self._encode = encode

    def __missing__(self, value: object) -> bytes:
        encoded = self._encode(value)
        if len(self) >= LIMIT:
            self.clear()
        # Only strings: True, 1 and 1.0 are one key to a dict but different JSON values.
        if type(value) is str:
            self[value] = encoded
        return encoded


class _Second(dict[str, tuple[int, bytes, bytes]]):
    """`YYYY-MM-DDTHH:MM:SS` in UTC -> the encoded count of that second, cut at its 28th bit.

    The lower part is a number that the fraction is added to, small enough for the interpreter's
    fast arithmetic; the upper part is bytes, once as it is and once for a carry.
    """

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def __missing__(self, text: str) -> tuple[int, bytes, bytes]:
        high, low = divmod(instant(f"{text}Z", self._unit) << 1, 2**28)
        if not 0 < high < 2**28 - 1:
            raise ValueError("too near to 1970 or too far from it for the fast path")
        if len(self) >= LIMIT:
            self.clear()
        parts = self[text] = (low, _upper(high), _upper(high + 1))
        return parts


def _upper(rest: int) -> bytes:
    return LAST[rest] if rest < 2**14 else MIDDLE[rest & 0x3FFF] + LAST[rest >> 14]


SECONDS = {unit: _Second(unit) for unit in ("millis", "micros")}
