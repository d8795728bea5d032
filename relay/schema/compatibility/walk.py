"""What the verdict on a pair of types depends on, in the order of Java's SchemaCompatibility.

Source: Apache Avro for Java 1.12.1, `org.apache.avro.SchemaCompatibility`; Apache Avro 1.12
specification, "Schema Resolution".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from avro.schema import Field, Schema

from relay.schema.compatibility.places import AtField, Step
from relay.schema.compatibility.rules import PROMOTIONS, Rule
from relay.schema.compatibility.types import (
    NAMED,
    branches_of,
    default_symbol,
    element_of,
    field_aliases,
    fields_of,
    kind_of,
    same_name,
    size_of,
    symbols_of,
)

__all__ = [
    "Asked",
    "Part",
    "Unmatched",
    "alike",
    "broken_by_leaf",
    "matches",
    "missing_symbols",
    "parts",
    "tries_branches",
]

_PARTED = frozenset({"record", "array", "map", "union"})


class Asked(NamedTuple):
    """A pair of types that a verdict depends on, one step from the reader's type."""

    reader: Schema
    writer: Schema
    step: Step


class Unmatched(NamedTuple):
    """A reader's field that stands for none of the writer's and has no default, or for several."""

    at: AtField
    field: Field
    matched: list[Field]


Part = Asked | Unmatched | Rule


def parts(reader: Schema, writer: Schema) -> Iterator[Part]:
    """What the verdict on two types that are no leaf depends on.

    All pairs must fit, no field be unmatched and no rule be broken; where the reader tries its
    branches, one must fit.
    """
    kind = kind_of(reader)
    if writer.type == "union":
        for branch in branches_of(writer):
            yield Asked(reader, branch, None)
    elif kind == "union":
        for index, branch in enumerate(branches_of(reader)):
            yield Asked(branch, writer, index)
    elif kind == "record":
        if not same_name(reader, writer):
            yield Rule.NAME_MISMATCH
        by_name = {field.name: field for field in fields_of(writer)}
        for index, field in enumerate(fields_of(reader)):
            found = matches(field, by_name)
            if len(found) == 1:
                yield Asked(field.type, found[0].type, AtField(index, field.name))
            elif found or not field.has_default:
                yield Unmatched(AtField(index, field.name), field, found)
    else:
        yield Asked(element_of(reader), element_of(writer), kind)


def tries_branches(reader: Schema, writer: Schema) -> bool:
    """Whether it is enough that one of the parts fits: a branch of the reader's union."""
    return reader.type == "union" and writer.type != "union"


def broken_by_leaf(reader: Schema, writer: Schema) -> tuple[Rule, ...] | None:
    """Rules that a pair breaks whose verdict depends on no other pair's; None for other pairs."""
    kind, other = kind_of(reader), kind_of(writer)
    if kind == other:
        if kind in _PARTED:
            return None
        return _broken_by_named(kind, reader, writer) if kind in NAMED else ()
    if kind == "union" or other == "union":
        return None
    return () if other in PROMOTIONS.get(kind, ()) else (Rule.TYPE_MISMATCH,)


def _broken_by_named(kind: str, reader: Schema, writer: Schema) -> tuple[Rule, ...]:
    name = () if same_name(reader, writer) else (Rule.NAME_MISMATCH,)
    if kind == "enum" and missing_symbols(reader, writer):
        return (*name, Rule.MISSING_ENUM_SYMBOLS)
    if kind == "fixed" and size_of(reader) != size_of(writer):
        return (*name, Rule.FIXED_SIZE_MISMATCH)
    return name


def alike(reader: Schema, writer: Schema) -> bool:
    """Whether types fit at first sight, without a look into records, containers and unions."""
    broken = broken_by_leaf(reader, writer)
    if broken is not None:
        return not broken
    kind = kind_of(reader)
    return kind == kind_of(writer) and (kind != "record" or same_name(reader, writer))


def matches(field: Field, by_name: dict[str, Field]) -> list[Field]:
    """The writer's fields that a reader's field stands for.

    by_name: the writer's fields. By name first, then by each alias; a field whose alias is its
    own name matches twice, as it does in Java.
    """
    found = [by_name[field.name]] if field.name in by_name else []
    if "aliases" in field.props:
        found += [by_name[alias] for alias in field_aliases(field) if alias in by_name]
    return found


def missing_symbols(reader: Schema, writer: Schema) -> list[str]:
    """The writer's symbols that mean nothing to the reader's enum, in order."""
    if default_symbol(reader) is not None:
        return []
    known = set(symbols_of(reader))
    return [symbol for symbol in symbols_of(writer) if symbol not in known]
