"""Messages about types: descriptions, and what would make a pair compatible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from relay.schema.avro.matching import PROMOTIONS
from relay.schema.avro.names import short_name
from relay.schema.avro.nodes import NAMED, Field, Node

__all__ = [
    "Fix",
    "branches_listed",
    "described",
    "fix_ambiguous",
    "fix_branch",
    "fix_field",
    "fix_name",
    "fix_size",
    "fix_symbols",
    "fix_type",
    "listed",
    "named",
]

# Words of a list that messages show.
_SHOWN = 12
_DEPTH = 3


def described(node: Node, depth: int = _DEPTH) -> str:
    """Describes a type as far as compatibility matters, as in `enum shop.State of OPEN, SHUT`."""
    match node.kind:
        case "enum":
            return f"{named(node)} of {listed(node.symbols)}"
        case "fixed":
            return f"{named(node)} of {node.size} bytes"
        case "array" | "map" as kind:
            return f"{kind} of {described(node.element, depth - 1)}" if depth else kind
        case "union":
            return f"union of {branches_listed(node) or 'nothing'}"
        case _:
            return named(node)


def named(node: Node) -> str:
    """Names a type: `record shop.Order`, `long (timestamp-millis)`, `array`."""
    kind = node.kind
    if kind in NAMED:
        return f"{kind} {node.name}"
    logical = node.json.get("logicalType")
    return f"{kind} ({logical})" if logical and isinstance(logical, str) else kind


def branches_listed(union: Node) -> str:
    """Lists the branches of a union."""
    return listed([named(branch) for branch in union.branches])


def listed(words: Sequence[str]) -> str:
    """Lists words, separated by commas; counts those after the twelfth."""
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(words[:_SHOWN]) + more


class Fix(NamedTuple):
    """A sentence for each side: the change of the reader, or of the writer instead."""

    reader: str
    writer: str


def fix_name(reader: Node, writer: Node) -> Fix:
    """For named types with different names."""
    return Fix(
        f"Name it {short_name(writer.name)} again, or give it the alias {writer.name}",
        f"Name it {short_name(reader.name)} again",
    )


def fix_size(reader: Node, writer: Node) -> Fix:
    """For a fixed of another size."""
    other = "or put the new size into a new type under a new field"
    return Fix(
        f"Set the size to {writer.size} again, {other} with a default",
        f"Set the size to {reader.size} again, {other} and keep this one",
    )


def fix_symbols(reader: Node, missing: Sequence[str]) -> Fix:
    """For symbols that the reader's enum lacks."""
    example = next(iter(reader.symbols), "its own")
    return Fix(
        f"Add {listed(missing)}, or give the enum a default such as {example} for unknown symbols",
        f"Leave {listed(missing)} out until all readers have them, or have a default in the enum",
    )


def fix_field(field: Field, renamed: Sequence[str]) -> Fix:
    """For a reader's field that the writer lacks.

    renamed: the writer's fields that may be the same field under a former name.
    """
    alias = f", or the alias {' or '.join(renamed)} if that is its former name" if renamed else ""
    return Fix(
        f"Give {field.name} a default{alias}",
        f"Keep a field {field.name} of {described(field.node)}",
    )


def fix_type(reader: Node, writer: Node, union: Node | None) -> Fix:
    """For types without promotion between them.

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
    """For a type that no branch of the reader's union reads.

    union: the writer's union that `writer` is a branch of. nearly: a branch almost reads it.
    """
    name = named(writer)
    change = f"Fix the {name} in the union" if nearly else f"Add {name} to the union"
    if union is not None:
        return Fix(change, f"Take {name} out of the union until all readers have it")
    return Fix(change, f"Use one of {branches_listed(reader)}")


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
