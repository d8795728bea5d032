"""What would make a pair compatible: by a change of the reader, or else by one of the writer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from avro.schema import Field, Schema

from relay.schema.compatibility.describe import branches_listed, described, listed, named
from relay.schema.compatibility.rules import PROMOTIONS
from relay.schema.compatibility.types import (
    full_name,
    kind_of,
    short_name,
    size_of,
    symbols_of,
)

__all__ = [
    "Mend",
    "mend_ambiguous",
    "mend_branch",
    "mend_field",
    "mend_name",
    "mend_size",
    "mend_symbols",
    "mend_type",
]


class Mend(NamedTuple):
    """A sentence each: what to change in the reader, and what in the writer instead."""

    reader: str
    writer: str


def mend_name(reader: Schema, writer: Schema) -> Mend:
    """For named types that have different names."""
    return Mend(
        f"Name it {short_name(writer)} again, or give it the alias {full_name(writer)}",
        f"Name it {short_name(reader)} again",
    )


def mend_size(reader: Schema, writer: Schema) -> Mend:
    """For a fixed whose size differs."""
    other = "or put the new size into a new type under a new field"
    return Mend(
        f"Set the size to {size_of(writer)} again, {other} with a default",
        f"Set the size to {size_of(reader)} again, {other} and keep this one",
    )


def mend_symbols(reader: Schema, missing: Sequence[str]) -> Mend:
    """For symbols that the reader's enum does not have."""
    example = next(iter(symbols_of(reader)), "its own")
    return Mend(
        f"Add {listed(missing)}, or give the enum a default such as {example} for unknown symbols",
        f"Leave {listed(missing)} out until all readers have them, or have a default in the enum",
    )


def mend_field(field: Field, renamed: Sequence[str]) -> Mend:
    """For a reader's field that the writer does not have.

    renamed: the writer's fields that it may have been before, which no other field stands for.
    """
    alias = f", or the alias {' or '.join(renamed)} if that is its former name" if renamed else ""
    return Mend(
        f"Give {field.name} a default{alias}",
        f"Keep a field {field.name} of {described(field.type)}",
    )


def mend_type(reader: Schema, writer: Schema, union: Schema | None) -> Mend:
    """For types that are no promotion of each other.

    union: the writer's union that `writer` is a branch of.
    """
    if union is not None:
        return Mend(
            f"Make it a union that has {named(writer)} too",
            f"Take {named(writer)} out of the union",
        )
    wider = [kind for kind, read in PROMOTIONS.items() if kind_of(writer) in read]
    reads = sorted(PROMOTIONS.get(kind_of(reader), ()))
    return Mend(
        f"Make it {' or '.join([named(writer), *wider])}, or a union with {named(writer)} in it",
        f"Make it {' or '.join([named(reader), *reads])}",
    )


def mend_branch(reader: Schema, writer: Schema, union: Schema | None, *, nearly: bool) -> Mend:
    """For something that no branch of the reader's union reads.

    union: the writer's union that `writer` is a branch of. nearly: a branch all but reads it.
    """
    add = f"{'Mend the' if nearly else 'Add'} {named(writer)} {'in' if nearly else 'to'} the union"
    return Mend(
        add,
        f"Take {named(writer)} out of the union until all readers have it"
        if union is not None
        else f"Use one of {branches_listed(reader)}",
    )


def mend_ambiguous(field: Field, matched: Sequence[Field]) -> Mend:
    """For a reader's field that matches several of the writer's."""
    names = list(dict.fromkeys(one.name for one in matched))
    if len(names) == 1:
        return Mend(
            f"Take the alias {names[0]} away, which is the field's own name",
            f"Leave {names[0]} out",
        )
    aliases = [name for name in names if name != field.name]
    return Mend(
        f"Take the alias {' or '.join(aliases)} away, until one match is left",
        f"Keep only one of {listed(names)}",
    )
