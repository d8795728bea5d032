"""What the checker reads of the `avro` package's schemas.

The package itself can't check: its `avro.compatibility` differs from Java's verdict where
aliases count, takes a reader's field that matches two of the writer's, and gives its messages
without order. Its schemas are as good as Java's once they have been read by `parse`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from avro.schema import Field, Schema

from relay.schema.compatibility.names import full_alias

__all__ = [
    "NAMED",
    "aliases_of",
    "branches_of",
    "default_symbol",
    "element_of",
    "field_aliases",
    "fields_of",
    "full_name",
    "kind_of",
    "logical_type",
    "same_name",
    "short_name",
    "size_of",
    "symbols_of",
]

NAMED = frozenset({"record", "enum", "fixed"})


def kind_of(schema: Schema) -> str:
    """Avro's type name; an error is a record here, as it is to Java."""
    kind: str = schema.type
    return "record" if kind == "error" else kind


def logical_type(schema: Schema) -> str:
    """The logical type that is written at a type; empty when there is none."""
    found = schema.props.get("logicalType")
    return found if isinstance(found, str) else ""


def full_name(schema: Schema) -> str:
    """Name with namespace of a record, enum or fixed."""
    return str(schema.fullname)  # type: ignore[attr-defined]


def short_name(schema: Schema) -> str:
    """Name without namespace of a record, enum or fixed."""
    return full_name(schema).rpartition(".")[2]


def aliases_of(schema: Schema) -> list[str]:
    """Full names that a record, enum or fixed also reads as; the package leaves them unread."""
    namespace = full_name(schema).rpartition(".")[0]
    return [full_alias(alias, namespace) for alias in _texts(schema.props.get("aliases"))]


def same_name(reader: Schema, writer: Schema) -> bool:
    """Whether named types match by name: without namespaces, or by one of the reader's aliases."""
    return short_name(reader) == short_name(writer) or full_name(writer) in aliases_of(reader)


def fields_of(record: Schema) -> list[Field]:
    """Fields of a record in order."""
    return cast("list[Field]", record.props["fields"])


def field_aliases(field: Field) -> list[str]:
    """Other names that a reader's field is found by, each once."""
    return list(dict.fromkeys(_texts(field.props.get("aliases"))))


def symbols_of(enum: Schema) -> Sequence[str]:
    """Symbols of an enum in order."""
    return cast("Sequence[str]", enum.props["symbols"])


def default_symbol(enum: Schema) -> str | None:
    """The symbol that stands for unknown ones, if the enum has one."""
    found = enum.props.get("default")
    return found if isinstance(found, str) and found in symbols_of(enum) else None


def size_of(fixed: Schema) -> int:
    """Bytes of a fixed."""
    return cast("int", fixed.props["size"])


def element_of(container: Schema) -> Schema:
    """What an array or a map holds."""
    key = "items" if container.type == "array" else "values"
    return cast("Schema", container.props[key])


def branches_of(union: Schema) -> list[Schema]:
    """Branches of a union in order."""
    return cast("list[Schema]", union.schemas)  # type: ignore[attr-defined]


def _texts(found: Any) -> list[str]:
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []
