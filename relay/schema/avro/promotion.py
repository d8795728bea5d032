"""Converts a plain value of one type to another: promotions, and amounts in another unit.

Source: Apache Avro 1.12 specification, "Schema Resolution".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from relay.schema.avro.nodes import Node
from relay.schema.avro.times import PER_SECOND
from relay.schema.avro.to_json import decimal_text, json_of

__all__ = ["amount_kept", "promotion"]

Convert = Callable[[Any], Any]
_FLOAT_BITS = 24


def promotion(writer: str, reader: str) -> Convert | None:
    """Returns the function from one kind's values to another's; None where they are the same.

    Numbers are rounded as Java does. The function raises ValueError for bytes that are not
    UTF-8, of which Java replaces what is not.
    """
    if reader in {writer, "long"}:
        return None
    if reader == "bytes":
        return str.encode
    if reader == "string":
        return _text
    if reader == "float":
        return nearest_float
    return float


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ValueError("these bytes are not UTF-8 text") from None


def nearest_float(number: int) -> float:
    """The number of 32 bits that is nearest to an integer, the even one of two."""
    # Through a double it would be rounded twice.
    surplus = abs(number).bit_length() - _FLOAT_BITS
    if surplus <= 0:
        return float(number)
    whole, rest = divmod(abs(number), 1 << surplus)
    half = 1 << (surplus - 1)
    if rest > half or (rest == half and whole & 1):
        whole += 1
    return float(whole << surplus) * (1 if number > 0 else -1)


def amount_kept(writer: Node, reader: Node) -> Convert | None:
    """Returns the function to the reader's natural JSON where both sides mean an amount of the
    same thing in another scale or unit; None where that is not so.

    It raises ValueError for a decimal with more places than the reader's scale. Times are cut to
    the reader's unit.
    """
    if writer.form == reader.form == "decimal" and writer.scale != reader.scale:
        return lambda data: _rescaled(decimal_text(data, writer.scale), reader.scale)
    (what, _, old), (same, _, new) = writer.form.rpartition("-"), reader.form.rpartition("-")
    if not what or what != same or old == new or not {old, new} <= PER_SECOND.keys():
        return None
    text = json_of(reader)
    assert text is not None
    return lambda count: text(count * PER_SECOND[new] // PER_SECOND[old])


def _rescaled(text: str, scale: int) -> str:
    whole, _, fraction = text.partition(".")
    if fraction[scale:].strip("0"):
        raise ValueError(f"{text} has more than {scale} decimal places")
    fraction = fraction[:scale].ljust(scale, "0")
    return f"{whole}.{fraction}" if fraction else whole
