"""Converts plain values of single types to natural JSON."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from relay.natural import base64_text
from relay.schema.avro.nodes import Node
from relay.schema.avro.supported import MOST_DIGITS
from relay.schema.avro.times import date_text, instant_text, time_text

__all__ = ["decimal_text", "json_of"]

ToJson = Callable[[Any], Any]
EPOCH = datetime(1970, 1, 1)
# Converting a number to digits takes quadratic time.
MOST_BITS = (10**MOST_DIGITS).bit_length()


def json_of(node: Node) -> ToJson | None:
    """Returns the function from a type's plain values to natural JSON; None if they are the same.

    node: any but record, array, map and union. The function raises ValueError or OverflowError
    for a value that the logical type does not have.
    """
    form = node.form
    if form in {"bytes", "fixed"}:
        return base64_text
    if form == node.kind:
        return None
    if form == "decimal":
        return partial(decimal_text, scale=node.scale)
    if form in _OTHERS:
        return _OTHERS[form]
    kind, _, unit = form.rpartition("-")
    if kind == "time":
        return partial(time_text, unit=unit)
    return partial(instant_text, unit=unit, local=kind.startswith("local"))


def decimal_text(data: bytes, scale: int) -> str:
    """The decimal of unscaled two's complement bytes, with all places of its scale."""
    # Sets the point in the string: decimal's context would round more than 28 digits.
    unscaled = int.from_bytes(data, "big", signed=True)
    # str() writes 640 digits under any setting of Python; 256 bytes are 617 at most.
    digits = str(abs(unscaled)) if len(data) <= 256 else _long_digits(abs(unscaled))
    digits = digits.rjust(scale + 1, "0")
    sign = "-" if unscaled < 0 else ""
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}" if scale else f"{sign}{digits}"


def _long_digits(number: int) -> str:
    if number.bit_length() > MOST_BITS:
        raise ValueError(f"a decimal of more than {MOST_DIGITS:,} digits")
    return format(Decimal(number), "f")


def _uuid(data: str | bytes) -> str:
    try:
        return str(UUID(bytes=data) if isinstance(data, bytes) else UUID(data))
    except ValueError:
        raise ValueError("this text is not a uuid") from None


def _micros(count: int) -> str:
    # datetime has microseconds itself and is faster than instant_text.
    try:
        return (EPOCH + timedelta(0, 0, count)).isoformat() + "Z"
    except OverflowError:
        raise OverflowError(f"{count} micros since 1970 is not in the years 1 to 9999") from None


_OTHERS: dict[str, ToJson] = {
    "date": date_text,
    "timestamp-micros": _micros,
    "uuid": _uuid,
}
