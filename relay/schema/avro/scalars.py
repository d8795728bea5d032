"""Encodes single values of natural JSON: every type that has no other types in it.

Natural JSON: timestamps RFC 3339 with an offset, dates and times ISO 8601, decimals, uuids and
enums as strings, bytes as base64. Values are never rounded, cut or converted silently, but for
the digits of times below the schema's unit.
"""

from __future__ import annotations

import re
import struct
from base64 import b64decode
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from math import isfinite

from relay.natural import in_one_line
from relay.schema.avro.nodes import Node
from relay.schema.avro.times import Refused, days, instant, shown, time_of_day
from relay.schema.avro.varint import long_bytes, sized

__all__ = ["SCALARS", "Encode", "scalar"]

INT = 2**31
LONG = 2**63
# The longest string that int() takes under any setting of Python.
SHORT_DIGITS = 640
_DECIMAL = re.compile(r"(-?)(0|[1-9]\d*)(?:\.(\d+))?", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I | re.ASCII)
_FLOAT = struct.Struct("<f").pack
_DOUBLE = struct.Struct("<d").pack

Encode = Callable[[object], bytes]


def scalar(node: Node) -> Encode:
    """Encoder of one scalar type; it raises Refused for a value that does not fit.

    node: any but record, array, map and union.
    """
    return SCALARS[node.form](node)


def _null(value: object) -> bytes:
    if value is not None:
        raise Refused(f"{shown(value)} is not null")
    return b""


def _boolean(value: object) -> bytes:
    if value is True:
        return b"\x01"
    if value is False:
        return b"\x00"
    raise Refused(f"{shown(value)} is not a boolean. Send true or false")


def _integer(bound: int, name: str, value: object) -> bytes:
    if type(value) is not int:
        raise Refused(f"{shown(value)} is not a valid {name}. Send a whole number without a point")
    if not -bound <= value < bound:
        raise Refused(f"{shown(value)} is out of range for {name}, {-bound} to {bound - 1}")
    return long_bytes(value)


def _floating(pack: Callable[[float], bytes], name: str, value: object) -> bytes:
    if type(value) is int:
        # JSON writes 1.0 as 1 in many languages; beyond 2**53 not every integer is a double.
        value = _exactly(value, name)
    if type(value) is not float:
        raise Refused(f"{shown(value)} is not a valid {name}. Send a number")
    if not isfinite(value):
        raise Refused(
            "NaN and infinity are not in JSON. Send a finite number, or null where allowed"
        )
    try:
        return pack(value)
    except OverflowError:
        raise Refused(f"{shown(value)} is out of range for {name}. Use a double") from None


def _exactly(number: int, name: str) -> float:
    try:
        found = float(number)
    except OverflowError:
        raise Refused(f"{shown(number)} is out of range for {name}") from None
    if found != number:
        raise Refused(f"{shown(number)} is not exact as {name}. Use a long or a decimal")
    return found


def _string(value: object) -> bytes:
    if not isinstance(value, str):
        raise Refused(f"{shown(value)} is not a string")
    try:
        encoded = value.encode()
    except UnicodeEncodeError as error:
        raise Refused(f"{shown(value)} is not valid Unicode: {error.reason}") from None
    return sized(encoded)


def _raw(value: object) -> bytes:
    if not isinstance(value, str):
        raise Refused(f"{shown(value)} is not a string. Send bytes as base64")
    digits = in_one_line(value)
    try:
        raw = b64decode(digits, validate=True)
    except ValueError:
        raw = None
    # b64decode accepts too much padding.
    if raw is None or len(digits) % 4:
        raise Refused(f"{shown(value)} is not base64 (RFC 4648, section 4, padded)")
    return raw


def _bytes(value: object) -> bytes:
    return sized(_raw(value))


def _fixed(size: int, value: object) -> bytes:
    raw = _raw(value)
    if len(raw) != size:
        raise Refused(f"{shown(value)} has {len(raw)} bytes, the schema requires {size}")
    return raw


def _enum(symbols: tuple[str, ...], value: object) -> bytes:
    # The enum's default is for readers of unknown symbols, not for writers.
    if not isinstance(value, str) or value not in symbols:
        raise Refused(f"{shown(value)} is not one of {', '.join(symbols)}")
    return long_bytes(symbols.index(value))


def _uuid_text(value: object) -> str:
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise Refused(
            f'{shown(value)} is not a uuid. Send "9f0c0d0e-5d1b-4b0a-8a39-0d6f2f9a1c11" (RFC 9562)'
        )
    return value.lower()


def _uuid_string(value: object) -> bytes:
    return b"\x48" + _uuid_text(value).encode()


def _uuid_fixed(value: object) -> bytes:
    return bytes.fromhex(_uuid_text(value).replace("-", ""))


def _unscaled(node: Node, value: object) -> int:
    # Most prices have all of their decimal places and need no pattern.
    if type(value) is str and value.isascii():
        whole, _, fraction = value.partition(".")
        digits = whole + fraction
        if (
            fraction
            and len(fraction) == node.scale
            and whole
            and (whole[0] != "0" or len(whole) == 1)
            and len(digits) <= node.precision
            and digits.isdigit()
        ):
            return _number(digits)
    match = _DECIMAL.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Refused(f'{shown(value)} is not a decimal. Send a string such as "12.50"')
    fraction = (match[3] or "").rstrip("0")
    if len(fraction) > node.scale:
        raise Refused(
            f"{shown(value)} has {len(fraction)} decimal places, the schema allows {node.scale}. "
            "Round it before you publish"
        )
    digits = (match[2] + fraction.ljust(node.scale, "0")).lstrip("0")
    if len(digits) > node.precision:
        raise Refused(f"{shown(value)} is out of range for decimal({node.precision}, {node.scale})")
    number = _number(digits or "0")
    return -number if match[1] else number


def _number(digits: str) -> int:
    # int() may refuse longer strings.
    return int(digits) if len(digits) <= SHORT_DIGITS else int(Decimal(digits))


def _decimal_bytes(node: Node, value: object) -> bytes:
    number = _unscaled(node, value)
    # The shortest two's complement form, most significant byte first.
    size = (number if number >= 0 else ~number).bit_length() // 8 + 1
    return sized(number.to_bytes(size, "big", signed=True))


def _decimal_fixed(node: Node, value: object) -> bytes:
    return _unscaled(node, value).to_bytes(node.size, "big", signed=True)


def _date(value: object) -> bytes:
    return long_bytes(days(value))


def _time(unit: str, value: object) -> bytes:
    return long_bytes(time_of_day(value, unit))


def _timestamp(unit: str, local: bool, value: object) -> bytes:
    count = instant(value, unit, local=local)
    if not -LONG <= count < LONG:
        raise Refused(f"{shown(value)} is out of range for a long of {unit}")
    return long_bytes(count)


SCALARS: dict[str, Callable[[Node], Encode]] = {
    "null": lambda _: _null,
    "boolean": lambda _: _boolean,
    "int": lambda _: partial(_integer, INT, "int"),
    "long": lambda _: partial(_integer, LONG, "long"),
    "float": lambda _: partial(_floating, _FLOAT, "float"),
    "double": lambda _: partial(_floating, _DOUBLE, "double"),
    "string": lambda _: _string,
    "bytes": lambda _: _bytes,
    "fixed": lambda node: partial(_fixed, node.size),
    "enum": lambda node: partial(_enum, node.symbols),
    "uuid": lambda node: _uuid_fixed if node.kind == "fixed" else _uuid_string,
    "decimal": lambda node: partial(
        _decimal_fixed if node.kind == "fixed" else _decimal_bytes, node
    ),
    "date": lambda _: _date,
    "time-millis": lambda _: partial(_time, "millis"),
    "time-micros": lambda _: partial(_time, "micros"),
    "timestamp-millis": lambda _: partial(_timestamp, "millis", False),
    "timestamp-micros": lambda _: partial(_timestamp, "micros", False),
    "timestamp-nanos": lambda _: partial(_timestamp, "nanos", False),
    "local-timestamp-millis": lambda _: partial(_timestamp, "millis", True),
    "local-timestamp-micros": lambda _: partial(_timestamp, "micros", True),
    "local-timestamp-nanos": lambda _: partial(_timestamp, "nanos", True),
}
