"""What a physical value means under a logical type, so that two sides can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

from relay.schema.avro.nodes import Node
from relay.schema.avro.times import date_text, instant_text, time_text

__all__ = ["misreading", "shown"]

NANOS = {"date": 86_400 * 10**9, "millis": 10**6, "micros": 10**3, "nanos": 1}


@dataclass(frozen=True)
class _Meaning:
    """measure: what two values have to share to be comparable; digits: of a decimal."""

    measure: str
    amount: Decimal | int
    digits: int = 0


def misreading(writer: Node, reader: Node, value: Any) -> str | None:
    """How a reader takes a value for another one; None where it does not, or nobody can say.

    writer, reader: types that hold no others. value: physical, as the writer wrote it. Only two
    logical types of one measure (decimals, times) say what the other side should read.
    """
    before, after = _meaning(writer, value), _meaning(reader, value)
    if before is None or after is None or before.measure != after.measure:
        return None
    if before.amount != after.amount:
        return (
            f"written as {shown(writer, value)} under {writer.form}{_parameters(writer)}, read as "
            f"{shown(reader, value)} under {reader.form}{_parameters(reader)}"
        )
    if before.digits > reader.precision > 0:
        return (
            f"{shown(writer, value)} has {before.digits} digits, the reader's decimal holds "
            f"{reader.precision}: clients round or refuse it"
        )
    return None


def shown(node: Node, value: Any) -> str:
    """A physical value as the payload would have it, cut where it is long."""
    meaning = _meaning(node, value)
    if node.form == "decimal" and meaning is not None:
        text = f"{meaning.amount:f}"
    elif meaning is not None:
        text = _time_shown(node.form, value)
    else:
        text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _meaning(node: Node, value: Any) -> _Meaning | None:
    if node.form == "decimal" and isinstance(value, bytes):
        number = int.from_bytes(value, "big", signed=True)
        digits = len(str(abs(number)))
        exact = Context(prec=max(digits, 1) + node.scale)
        return _Meaning("decimal", Decimal(number).scaleb(-node.scale, exact), digits)
    if node.form in {node.kind, "uuid", "decimal"} or type(value) is not int:
        return None
    unit = node.form.rpartition("-")[2]
    return _Meaning("time", value * NANOS[unit])


def _time_shown(form: str, count: int) -> str:
    unit = form.rpartition("-")[2]
    try:
        if form == "date":
            return date_text(count)
        if form.startswith("time-"):
            return time_text(count, unit)
        return instant_text(count, unit, local=form.startswith("local-"))
    except (OverflowError, ValueError):
        # Years beyond 9999 and times beyond midnight have no text of their own.
        return f"{count} {'days' if form == 'date' else unit}"


def _parameters(node: Node) -> str:
    return f"({node.precision}, {node.scale})" if node.form == "decimal" else ""
