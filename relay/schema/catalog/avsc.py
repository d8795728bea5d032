"""Reads .avsc files, and what an event's schema needs beyond being valid Avro."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from relay.errors import CatalogInvalid
from relay.schema.avro.decoder import natural_default
from relay.schema.avro.encoder import compile_encoder
from relay.schema.avro.invalid import SchemaInvalid
from relay.schema.avro.json_text import schema_json, without_comments
from relay.schema.avro.names import Strictness
from relay.schema.avro.nodes import ABSENT, Node
from relay.schema.avro.parse import read

__all__ = ["Avsc", "check_usable", "read_file"]


class Avsc(NamedTuple):
    """A file. schema: its JSON. text: as registries get it, without comments."""

    schema: Any
    text: str


def read_file(path: Path) -> Avsc:
    """Reads an .avsc file. Raises CatalogInvalid, which names it, and FileNotFoundError."""
    try:
        text = path.read_text("utf-8")
        return Avsc(schema_json(text), without_comments(text))
    except FileNotFoundError:
        raise
    except (ValueError, OSError, RecursionError) as error:
        raise CatalogInvalid(f"{path}: not readable as JSON: {error}. Correct the file") from error


def check_usable(schema: Any) -> None:
    """Raises SchemaInvalid for what Java's parser refuses, what can't be encoded, and a default
    that is not a value of its logical type, which no typed event could have."""
    _check_defaults(read(schema, Strictness.JAVA), "$", set())
    compile_encoder(schema)


def _check_defaults(node: Node, path: str, seen: set[Node]) -> None:
    if node in seen:
        return
    seen.add(node)
    if node.items is not None:
        _check_defaults(node.items, f"{path}[*]" if node.kind == "array" else f"{path}.*", seen)
    for branch in node.branches:
        _check_defaults(branch, path, seen)
    for field in node.fields:
        at = f"{path}.{field.name}"
        if field.default is not ABSENT:
            try:
                natural_default(field)
            except CatalogInvalid as error:
                raise SchemaInvalid(at, str(error)) from error
        _check_defaults(field.node, at, seen)
