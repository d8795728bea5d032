"""Compares what a value means under the types of writer and reader."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any, NamedTuple

from relay.schema.avro.nodes import Node
from relay.schema.avro.to_json import json_of
from relay.schema.checks.words import cut, type_words

__all__ = ["misreading", "shown"]

NANOS = {"date": 86_400 * 10**9, "millis": 10**6, "micros": 10**3, "nanos": 1}


class _Meaning(NamedTuple):
    """What a value is about, and how much of it: a decimal's number, a time's nanoseconds."""

    what: str
    amount: Any = None


def misreading(writer: Node, reader: Node, value: Any, got: Any) -> str | None:
    """How a reader misreads a value; None where it does not.

    writer, reader: types without inner types. value: plain, as the writer wrote it; got: as it is
    promoted to the reader's type. Each side takes its own logical type, as clients do.
    """
    before, after = _meaning(writer, value), _meaning(reader, got)
    if before != after:
        return (
            f"written as {shown(writer, value)} under {type_words(writer)}, read as "
            f"{shown(reader, got)} under {type_words(reader)}"
        )
    number = before.amount
    if before.what == "decimal" and (digits := len(number.as_tuple().digits)) > reader.precision:
        return (
            f"{shown(writer, value)} has {digits} digits, the reader's decimal holds "
            f"{reader.precision}: clients round or refuse it"
        )
    return None


def shown(node: Node, value: Any) -> str:
    """A plain value as the payload has it, cut to 80 characters."""
    convert = None if node.form == node.kind or node.parts else json_of(node)
    if convert is None:
        return cut(repr(value), 80)
    try:
        return cut(str(convert(value)), 80)
    except (OverflowError, ValueError):
        # Years beyond 9999 and times beyond midnight can't be written as RFC 3339.
        unit = node.form.rpartition("-")[2]
        return cut(f"{value} {'days' if unit == 'date' else unit}", 80)


def _meaning(node: Node, value: Any) -> _Meaning:
    if node.form == "decimal":
        unscaled = int.from_bytes(value, "big", signed=True)
        exact = Context(prec=len(str(abs(unscaled))) + node.scale)
        return _Meaning("decimal", Decimal(unscaled).scaleb(-node.scale, exact))
    if node.form == node.kind or (node.kind, node.form) == ("string", "uuid"):
        # A promotion keeps text and bytes, and may round a number.
        return _Meaning("plain", value.encode() if isinstance(value, str) else value)
    what, _, unit = node.form.rpartition("-")
    return _Meaning(what or node.form, value * NANOS[unit] if unit in NANOS else value)
