"""Whether an event fits its schema, asked when it is made.

The question is answered by Python source that is generated from the schema, as the encoder is: it
knows the common road only. What it does not know to fit, the encoder decides on, which names the
place. So it may be short, but must never let through what the encoder refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache, partial
from itertools import count
from typing import Any
from uuid import UUID

from relay.errors import PayloadInvalid
from relay.events import DomainEvent, Part
from relay.schema.avro.depth import is_recursive
from relay.schema.avro.encoder import Encoder, compile_encoder
from relay.schema.avro.nodes import STRING, Node
from relay.schema.avro.parse import read_schema
from relay.schema.avro.scalars import scalar

__all__ = ["validate"]

Fits = Callable[[Any], bool]

CONDITIONS = {
    "null": "{v} is None",
    "boolean": "type({v}) is bool",
    "int": f"type({{v}}) is int and {-(2**31)} <= {{v}} < {2**31}",
    "long": f"type({{v}}) is int and {-(2**63)} <= {{v}} < {2**63}",
    # A little less than the largest of 32 bits: how the rest is rounded, the encoder knows.
    "float": "type({v}) is float and -3.4e38 < {v} < 3.4e38",
    "double": "type({v}) is float and {v} - {v} == 0",
    "string": "type({v}) is str and ({v}.isascii() or is_unicode({v}))",
    "bytes": "type({v}) is bytes",
    "uuid": "type({v}) is UUID",
    "date": "type({v}) is date",
    "time-millis": "type({v}) is time and {v}.tzinfo is None and {v}.microsecond % 1000 == 0",
    "time-micros": "type({v}) is time and {v}.tzinfo is None",
    "timestamp-millis": "type({v}) is datetime and {v}.tzinfo is UTC"
    " and {v}.microsecond % 1000 == 0",
    "timestamp-micros": "type({v}) is datetime and {v}.tzinfo is UTC",
    "local-timestamp-millis": "type({v}) is datetime and {v}.tzinfo is None"
    " and {v}.microsecond % 1000 == 0",
    "local-timestamp-micros": "type({v}) is datetime and {v}.tzinfo is None",
}


def validate(event: DomainEvent) -> None:
    """Refuses an event whose payload the encoder of its class's SCHEMA would refuse.

    Raises PayloadInvalid, whose path names the place, also for an aggregate_id that is no string
    and an occurred_at that is no aware datetime.
    """
    # mypy holds the __hash__ of instances against their class.
    fits, encode = _of(type(event))  # type: ignore[arg-type]
    try:
        known = fits(event)
    except (AttributeError, KeyError, TypeError, ValueError):
        known = False
    if not known:
        encode(_payload(event))
    if type(event.aggregate_id) is not str:
        raise PayloadInvalid("$aggregateId", f"{event.aggregate_id!r} is not a string")
    occurred_at = event.occurred_at
    if not isinstance(occurred_at, datetime) or occurred_at.utcoffset() is None:
        raise PayloadInvalid(
            "$occurredAt", f"{occurred_at!r} is no aware datetime: use datetime.now(UTC)"
        )


@lru_cache(maxsize=4096)
def _of(kind: type[DomainEvent]) -> tuple[Fits, Encoder]:
    root = read_schema(kind.SCHEMA)
    # How deeply a value of a type that holds itself may nest, the encoder knows.
    fits = _unknown if is_recursive(root) else _Source().record(root, kind)
    return fits, compile_encoder(kind.SCHEMA)


def _payload(event: DomainEvent) -> dict[str, Any]:
    try:
        return event.to_json()
    except RecursionError:
        raise PayloadInvalid("$", "nested too deeply. Flatten the payload") from None


class _Parts(dict[type, Fits]):
    """Class of a record's value -> what answers for it, made when the class is first met."""

    def __init__(self, source: _Source, node: Node) -> None:
        super().__init__()
        self._source, self._node = source, node

    def __missing__(self, kind: type) -> Fits:
        answer = self[kind] = self._source.record(self._node, kind)
        return answer


class _Source:
    """Writes the functions of one schema."""

    def __init__(self) -> None:
        self._numbers = count()
        self._parts: dict[Node, _Parts] = {}

    def record(self, node: Node, kind: type) -> Fits:
        """Whether an object of `kind` fits a record; False for all where it can't be told."""
        # Another to_json may give anything.
        if not issubclass(kind, Part) or kind.to_json is not Part.to_json:
            return _unknown
        if kind.JSON_FIELDS.keys() != {field.name for field in node.fields}:
            return _unknown
        space: dict[str, Any] = dict(NAMES)
        lines = ["def fits(value):"]
        for field in node.fields:
            var = f"v{next(self._numbers)}"
            lines.append(f"    {var} = value.{kind.JSON_FIELDS[field.name]}")
            lines.append(f"    if not ({self._condition(field.node, var, space)}): return False")
        return _compiled([*lines, "    return True"], space)

    def _condition(self, node: Node, var: str, space: dict[str, Any]) -> str:
        """Expression that is true where `var` is known to fit."""
        if node.form in CONDITIONS:
            return CONDITIONS[node.form].format(v=var)
        name = f"known{next(self._numbers)}"
        match node.form:
            case "enum":
                space[name] = frozenset(node.symbols)
                return f"type({var}) is str and {var} in {name}"
            case "fixed":
                return f"type({var}) is bytes and len({var}) == {node.size}"
            case "decimal":
                space[name] = partial(_decimal_fits, node.precision, node.scale)
                return f"type({var}) is Decimal and {name}({var})"
            case "array":
                space[name] = self._each(node.element)
                return f"type({var}) is list and all(map({name}, {var}))"
            case "map":
                space[name], space[f"{name}_key"] = self._each(node.element), self._each(STRING)
                keys = f"all(map({name}_key, {var}))"
                return f"type({var}) is dict and {keys} and all(map({name}, {var}.values()))"
            case "record":
                space[name] = self._parts.setdefault(node, _Parts(self, node))
                return f"{name}[type({var})]({var})"
            case "union":
                return self._union(node, var, space)
        # Timestamps in nanoseconds, which are texts; it raises for what does not fit.
        space[name] = scalar(node)
        return f"type({var}) is str and {name}({var})"

    def _union(self, node: Node, var: str, space: dict[str, Any]) -> str:
        others = [branch for branch in node.branches if branch.kind != "null"]
        if len(others) != 1 or len(node.branches) != 2:
            # Which branch is meant, only the encoder tells.
            return "False"
        return f"{var} is None or ({self._condition(others[0], var, space)})"

    def _each(self, node: Node) -> Fits:
        space: dict[str, Any] = dict(NAMES)
        return _compiled(
            ["def fits(value):", f"    return {self._condition(node, 'value', space)}"], space
        )


def _compiled(lines: list[str], space: dict[str, Any]) -> Fits:
    exec(compile("\n".join(lines), "<validation of an event>", "exec"), space)
    fits: Fits = space["fits"]
    return fits


def _unknown(_: object) -> bool:
    return False


def _is_unicode(text: str) -> bool:
    """Raises UnicodeEncodeError, a ValueError, for half of a surrogate pair."""
    return text.encode() is not None


def _decimal_fits(precision: int, scale: int, value: Decimal) -> bool:
    _, digits, exponent = value.as_tuple()
    # NaN and infinities have letters there; what has more places may have zeros only.
    return (
        type(exponent) is int and exponent >= -scale and len(digits) + exponent <= precision - scale
    )


NAMES = {
    "Decimal": Decimal,
    "UTC": UTC,
    "UUID": UUID,
    "date": date,
    "datetime": datetime,
    "is_unicode": _is_unicode,
    "time": time,
}
