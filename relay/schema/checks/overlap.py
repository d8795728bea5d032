"""Finds types of a union that one value of natural JSON fits, which has no branches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations

from relay.schema.avro.nodes import ABSENT, Node

__all__ = ["overlapping"]

NUMBERS = frozenset({"int", "long", "float", "double"})
# A symbol that bytes could be in base64: a number of characters that four divides.
_BASE64 = re.compile(r"(?:[A-Za-z0-9]{4})+")
# Types written as strings of one kind; of different kinds they share no string.
_FAMILIES = {
    "bytes": "base64",
    "fixed": "base64",
    "enum": "symbol",
    "uuid": "uuid",
    "decimal": "decimal",
    "date": "date",
    "time-millis": "time",
    "time-micros": "time",
}
# The digits of a decimal without a point can be base64.
_SHARED = frozenset({"base64", "decimal"})


def overlapping(union: Node) -> Iterator[tuple[Node, Node]]:
    """Yields pairs of a union's types that some value fits both of.

    Numbers are left out: the encoder takes the first type that holds them, int before long before
    double before float.
    """
    for one, other in combinations(union.branches, 2):
        if not {one.form, other.form} <= NUMBERS and _overlap(one, other, frozenset()):
            yield one, other


def _overlap(one: Node, other: Node, around: frozenset[tuple[Node, Node]]) -> bool:
    """around: the pairs that this one is in; a value within itself is none of these."""
    pair = (one, other)
    if pair in around:
        return False
    inside = around | {pair}
    if "union" in {one.kind, other.kind}:
        ones, others = one.branches or (one,), other.branches or (other,)
        return any(_overlap(a, b, inside) for a in ones for b in others)
    types = {one.form, other.form}
    if types <= NUMBERS or (len(types) == 1 and one.form in {"null", "boolean", "array", "map"}):
        # An empty array or map fits any.
        return True
    if types <= {"record", "map"}:
        return _objects(one, other, inside)
    if types & {"null", "boolean", "array", "map", "record", *NUMBERS}:
        return False
    return _strings(one, other)


def _objects(one: Node, other: Node, inside: frozenset[tuple[Node, Node]]) -> bool:
    """Whether the fields that each side requires can be in the other as well."""
    required = [f.name for f in (*one.fields, *other.fields) if f.default is ABSENT]
    for name in required:
        here, there = _type_of(one, name), _type_of(other, name)
        if here is None or there is None or not _overlap(here, there, inside):
            return False
    return True


def _type_of(node: Node, name: str) -> Node | None:
    """The type of a record's field or a map's values."""
    if node.kind == "map":
        return node.element
    return next((field.node for field in node.fields if field.name == name), None)


def _strings(one: Node, other: Node) -> bool:
    if "string" in {one.form, other.form}:
        return True
    families = {_FAMILIES.get(one.form, "timestamp"), _FAMILIES.get(other.form, "timestamp")}
    if families == {"symbol"}:
        return bool({*one.symbols} & {*other.symbols})
    if families == {"base64", "symbol"}:
        return any(map(_BASE64.fullmatch, (*one.symbols, *other.symbols)))
    if families == {"base64"} and one.kind == other.kind == "fixed":
        return one.size == other.size
    return len(families) == 1 or families == _SHARED
