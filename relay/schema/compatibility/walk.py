"""Splits a pair of types into what its verdict depends on, in the order of Java.

Source: Apache Avro for Java 1.12.1, `org.apache.avro.SchemaCompatibility`; Apache Avro 1.12
specification, "Schema Resolution".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from relay.schema.avro.matching import PROMOTIONS, matches, same_name
from relay.schema.avro.nodes import ABSENT, NAMED, Field, Node
from relay.schema.compatibility.rules import Rule

__all__ = [
    "ROOT",
    "AtField",
    "Condition",
    "PathStep",
    "Place",
    "TypePair",
    "Unmatched",
    "fits_at_first_sight",
    "leaf_rules",
    "missing_symbols",
    "one_branch_is_enough",
    "parts",
]

_PARTED = frozenset({"record", "array", "map", "union"})


class TypePair(NamedTuple):
    """A reader's and a writer's type that a verdict depends on, one step from the reader's type."""

    reader: Node
    writer: Node
    step: PathStep


class Unmatched(NamedTuple):
    """A reader's field that matches no writer's field and has no default, or matches several."""

    at: AtField
    field: Field
    matched: list[Field]


Condition = TypePair | Unmatched | Rule


def parts(reader: Node, writer: Node) -> Iterator[Condition]:
    """Yields what the verdict on two types depends on, unless `leaf_rules` decides it.

    All pairs must fit, with no unmatched field and no broken rule; of a reader's union one
    branch must fit.
    """
    kind = reader.kind
    if writer.kind == "union":
        for branch in writer.branches:
            yield TypePair(reader, branch, None)
    elif kind == "union":
        for index, branch in enumerate(reader.branches):
            yield TypePair(branch, writer, index)
    elif kind == "record":
        if not same_name(reader, writer):
            yield Rule.NAME_MISMATCH
        by_name = {field.name: field for field in writer.fields}
        for index, field in enumerate(reader.fields):
            found = matches(field, by_name)
            if len(found) == 1:
                yield TypePair(field.node, found[0].node, AtField(index, field.name))
            elif found or field.default is ABSENT:
                yield Unmatched(AtField(index, field.name), field, found)
    else:
        yield TypePair(reader.element, writer.element, kind)


def one_branch_is_enough(reader: Node, writer: Node) -> bool:
    """Returns whether one fitting part is enough: a branch of the reader's union."""
    return reader.kind == "union" and writer.kind != "union"


def leaf_rules(reader: Node, writer: Node) -> tuple[Rule, ...] | None:
    """Returns the rules that a pair breaks; None if that depends on other pairs."""
    kind, other = reader.kind, writer.kind
    if kind == other:
        if kind in _PARTED:
            return None
        return _broken_by_named(kind, reader, writer) if kind in NAMED else ()
    if kind == "union" or other == "union":
        return None
    return () if other in PROMOTIONS.get(kind, ()) else (Rule.TYPE_MISMATCH,)


def _broken_by_named(kind: str, reader: Node, writer: Node) -> tuple[Rule, ...]:
    name = () if same_name(reader, writer) else (Rule.NAME_MISMATCH,)
    if kind == "enum" and missing_symbols(reader, writer):
        return (*name, Rule.MISSING_ENUM_SYMBOLS)
    if kind == "fixed" and reader.size != writer.size:
        return (*name, Rule.FIXED_SIZE_MISMATCH)
    return name


def fits_at_first_sight(reader: Node, writer: Node) -> bool:
    """Returns whether types fit, without checking inside records, containers and unions."""
    broken = leaf_rules(reader, writer)
    if broken is not None:
        return not broken
    kind = reader.kind
    return kind == writer.kind and (kind != "record" or same_name(reader, writer))


def missing_symbols(reader: Node, writer: Node) -> list[str]:
    """Returns the writer's symbols that the reader's enum can't read, in order."""
    if reader.default_symbol is not None:
        return []
    known = set(reader.symbols)
    return [symbol for symbol in writer.symbols if symbol not in known]


class AtField(NamedTuple):
    """The type of a record's field."""

    position: int
    name: str


# To a field's type, to a union's branch by index, to the element of an `array` or `map`, or None
# where only the writer has a union.
PathStep = AtField | int | str | None


class Place(NamedTuple):
    """path: JSON path into the schema. field: the way to it in a payload."""

    path: str
    field: str

    def to(self, step: PathStep) -> Place:
        """Returns the place one step further."""
        match step:
            case None:
                return self
            case AtField():
                return self.at(step).down("type")
            case int():
                return Place(f"{self.path}[{step}]", self.field)
            case "array":
                return Place(f"{self.path}.items", f"{self.field}[]")
            case _:
                return Place(f"{self.path}.values", f"{self.field}{{}}")

    def at(self, field: AtField) -> Place:
        """Returns the place of a field itself."""
        name = f"{self.field}.{field.name}" if self.field else field.name
        return Place(f"{self.path}.fields[{field.position}]", name)

    def down(self, key: str) -> Place:
        """Returns the place of a property of the type or the field."""
        return Place(f"{self.path}.{key}", self.field)


ROOT = Place("$", "")
