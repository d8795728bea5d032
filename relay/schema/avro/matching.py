"""Which types and fields of a writer's schema a reader's schema reads.

Source: Apache Avro 1.12 specification, "Schema Resolution" and "Aliases"; Apache Avro for Java
1.12.1, `Resolver` and `SchemaCompatibility`.
"""

from __future__ import annotations

from collections.abc import Iterator

from relay.schema.avro.names import short_name
from relay.schema.avro.nodes import Field, Node

__all__ = ["PROMOTIONS", "branch_for", "matches", "may_read", "same_name", "sources"]

# Reader's primitive type -> writer's types that it reads besides its own.
PROMOTIONS: dict[str, frozenset[str]] = {
    "long": frozenset({"int"}),
    "float": frozenset({"int", "long"}),
    "double": frozenset({"int", "long", "float"}),
    "string": frozenset({"bytes"}),
    "bytes": frozenset({"string"}),
}


def same_name(reader: Node, writer: Node) -> bool:
    """Returns whether names match: without namespace, or by an alias of the reader's type."""
    return short_name(reader.name) == short_name(writer.name) or writer.name in reader.aliases


def may_read(reader: Node, writer: Node) -> bool:
    """Returns whether a type that is not a union may read another, apart from what is in them."""
    if reader.kind != writer.kind:
        return writer.kind in PROMOTIONS.get(reader.kind, ())
    return reader.size == writer.size and (not reader.name or same_name(reader, writer))


def branch_for(union: Node, writer: Node) -> Node | None:
    """Returns the branch of a reader's union that reads a type; None where no branch does.

    The type itself comes first, then one of its name in another namespace, then the first one
    that it is promoted to.
    """
    readers = [branch for branch in union.branches if may_read(branch, writer)]
    return min(readers, key=lambda branch: _distance(branch, writer), default=None)


def _distance(reader: Node, writer: Node) -> int:
    if reader.kind != writer.kind:
        return 3
    if reader.name == writer.name:
        return 1
    return 0 if writer.name in reader.aliases else 2


def matches(field: Field, by_name: dict[str, Field]) -> list[Field]:
    """Returns the writer's fields that a reader's field matches: by name, then by each alias.

    by_name: the writer's fields. As in Java, a field whose alias is its own name matches twice.
    """
    found = [by_name[field.name]] if field.name in by_name else []
    if field.aliases:
        found += [by_name[alias] for alias in field.aliases if alias in by_name]
    return found


def sources(reader: Node, writer: Node) -> Iterator[tuple[Field, Field | None]]:
    """Yields each field of a reader's record with the writer's field that it gets its value from.

    An alias renames the writer's field, which is not found under its former name any more.
    """
    by_name = {field.name: field for field in writer.fields}
    renamed: dict[str, Field] = {}
    for field in reader.fields:
        if field.name not in by_name:
            former = next((alias for alias in field.aliases if alias in by_name), None)
            if former is not None and former not in renamed:
                renamed[former] = field
    found = {id(field): by_name[former] for former, field in renamed.items()}
    for field in reader.fields:
        own = None if field.name in renamed else by_name.get(field.name)
        yield field, found.get(id(field), own)
