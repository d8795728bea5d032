"""What would make a pair compatible: by a change of the reader, or else by one of the writer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from relay.schema.avro.names import short_name
from relay.schema.avro.nodes import Field, Node
from relay.schema.compatibility.describe import branches_listed, described, listed, named
from relay.schema.compatibility.rules import PROMOTIONS

__all__ = [
    "Fix",
    "fix_ambiguous",
    "fix_branch",
    "fix_field",
    "fix_name",
    "fix_size",
    "fix_symbols",
    "fix_type",
]


class Fix(NamedTuple):
    """A sentence each: what to change in the reader, and what in the writer instead."""

    reader: str
    writer: str


def fix_name(reader: Node, writer: Node) -> Fix:
    """For named types that have different names."""
    return Fix(
        f"Name it {short_name(writer.name)} again, or give it the alias {writer.name}",
        f"Name it {short_name(reader.name)} again",
    )


def fix_size(reader: Node, writer: Node) -> Fix:
    """For a fixed whose size differs."""
    other = "or put the new size into a new type under a new field"
    return Fix(
        f"Set the size to {writer.size} again, {other} with a default",
        f"Set the size to {reader.size} again, {other} and keep this one",
    )


def fix_symbols(reader: Node, missing: Sequence[str]) -> Fix:
    """For symbols that the reader's enum does not have."""
    example = next(iter(reader.symbols), "its own")
    return Fix(
        f"Add {listed(missing)}, or give the enum a default such as {example} for unknown symbols",
        f"Leave {listed(missing)} out until all readers have them, or have a default in the enum",
    )


def fix_field(field: Field, renamed: Sequence[str]) -> Fix:
    """For a reader's field that the writer does not have.

    renamed: the writer's fields that it may have been before, which no other field stands for.
    """
    alias = f", or the alias {' or '.join(renamed)} if that is its former name" if renamed else ""
    return Fix(
        f"Give {field.name} a default{alias}",
        f"Keep a field {field.name} of {described(field.node)}",
    )


def fix_type(reader: Node, writer: Node, union: Node | None) -> Fix:
    """For types that can't be promoted to each other.

    union: the writer's union that `writer` is a branch of.
    """
    if union is not None:
        return Fix(
            f"Make it a union that has {named(writer)} too",
            f"Take {named(writer)} out of the union",
        )
    wider = [kind for kind, read in PROMOTIONS.items() if writer.kind in read]
    reads = sorted(PROMOTIONS.get(reader.kind, ()))
    return Fix(
        f"Make it {' or '.join([named(writer), *wider])}, or a union with {named(writer)} in it",
        f"Make it {' or '.join([named(reader), *reads])}",
    )


def fix_branch(reader: Node, writer: Node, union: Node | None, *, nearly: bool) -> Fix:
    """For something that no branch of the reader's union reads.

    union: the writer's union that `writer` is a branch of. nearly: a branch all but reads it.
    """
    add = f"{'Fix the' if nearly else 'Add'} {named(writer)} {'in' if nearly else 'to'} the union"
    return Fix(
        add,
        f"Take {named(writer)} out of the union until all readers have it"
        if union is not None
        else f"Use one of {branches_listed(reader)}",
    )


def fix_ambiguous(field: Field, matched: Sequence[Field]) -> Fix:
    """For a reader's field that matches several of the writer's."""
    names = list(dict.fromkeys(one.name for one in matched))
    if len(names) == 1:
        return Fix(
            f"Take the alias {names[0]} away, which is the field's own name",
            f"Leave {names[0]} out",
        )
    aliases = [name for name in names if name != field.name]
    return Fix(
        f"Take the alias {' or '.join(aliases)} away, until one match is left",
        f"Keep only one of {listed(names)}",
    )
