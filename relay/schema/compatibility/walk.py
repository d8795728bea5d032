"""What the verdict on a pair of types depends on, in the order of Java's SchemaCompatibility.

Source: Apache Avro for Java 1.12.1, `org.apache.avro.SchemaCompatibility`; Apache Avro 1.12
specification, "Schema Resolution".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from relay.schema.avro.names import short_name
from relay.schema.avro.nodes import ABSENT, NAMED, Field, Node
from relay.schema.compatibility.places import AtField, Step
from relay.schema.compatibility.rules import PROMOTIONS, Rule

__all__ = [
    "Asked",
    "Part",
    "Unmatched",
    "alike",
    "broken_by_leaf",
    "matches",
    "missing_symbols",
    "parts",
    "same_name",
    "tries_branches",
]

_PARTED = frozenset({"record", "array", "map", "union"})


class Asked(NamedTuple):
    """A pair of types that a verdict depends on, one step from the reader's type."""

    reader: Node
    writer: Node
    step: Step


class Unmatched(NamedTuple):
    """A reader's field that stands for none of the writer's and has no default, or for several."""

    at: AtField
    field: Field
    matched: list[Field]


Part = Asked | Unmatched | Rule


def parts(reader: Node, writer: Node) -> Iterator[Part]:
    """What the verdict on two types depends on, unless `broken_by_leaf` answers it.

    All pairs must fit, no field be unmatched and no rule be broken; where the reader tries its
    branches, one must fit.
    """
    kind = reader.kind
    if writer.kind == "union":
        for branch in writer.branches:
            yield Asked(reader, branch, None)
    elif kind == "union":
        for index, branch in enumerate(reader.branches):
            yield Asked(branch, writer, index)
    elif kind == "record":
        if not same_name(reader, writer):
            yield Rule.NAME_MISMATCH
        by_name = {field.name: field for field in writer.fields}
        for index, field in enumerate(reader.fields):
            found = matches(field, by_name)
            if len(found) == 1:
                yield Asked(field.node, found[0].node, AtField(index, field.name))
            elif found or field.default is ABSENT:
                yield Unmatched(AtField(index, field.name), field, found)
    else:
        yield Asked(reader.element, writer.element, kind)


def tries_branches(reader: Node, writer: Node) -> bool:
    """Whether it is enough that one of the parts fits: a branch of the reader's union."""
    return reader.kind == "union" and writer.kind != "union"


def broken_by_leaf(reader: Node, writer: Node) -> tuple[Rule, ...] | None:
    """Rules that a pair breaks whose verdict depends on no other pair's; None for other pairs."""
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


def same_name(reader: Node, writer: Node) -> bool:
    """Whether named types match by name: without namespaces, or by one of the reader's aliases."""
    return short_name(reader.name) == short_name(writer.name) or writer.name in reader.aliases


def alike(reader: Node, writer: Node) -> bool:
    """Whether types fit at first sight, without a look into records, containers and unions."""
    broken = broken_by_leaf(reader, writer)
    if broken is not None:
        return not broken
    kind = reader.kind
    return kind == writer.kind and (kind != "record" or same_name(reader, writer))


def matches(field: Field, by_name: dict[str, Field]) -> list[Field]:
    """The writer's fields that a reader's field stands for.

    by_name: the writer's fields. By name first, then by each alias; a field whose alias is its
    own name matches twice, as it does in Java.
    """
    found = [by_name[field.name]] if field.name in by_name else []
    if field.aliases:
        found += [by_name[alias] for alias in field.aliases if alias in by_name]
    return found


def missing_symbols(reader: Node, writer: Node) -> list[str]:
    """The writer's symbols that mean nothing to the reader's enum, in order."""
    if reader.default_symbol is not None:
        return []
    known = set(reader.symbols)
    return [symbol for symbol in writer.symbols if symbol not in known]
