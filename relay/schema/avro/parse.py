"""Parses schemas: strings or JSON to nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from relay.schema.avro.invalid import SchemaInvalid
from relay.schema.avro.json_text import schema_json
from relay.schema.avro.names import Strictness
from relay.schema.avro.nodes import Node, Schema
from relay.schema.avro.reader import Reader
from relay.schema.avro.supported import check_supported

__all__ = ["Parsed", "parse", "parse_with_references", "read", "read_schema"]


class Parsed(NamedTuple):
    """A parsed schema. referenced: names of the types that other schemas define."""

    root: Node
    referenced: frozenset[str]


def parse(
    text: str, referenced: Sequence[str] = (), *, strictness: Strictness = Strictness.JAVA
) -> Node:
    """Returns the type of `text`.

    referenced: schemas whose named types it may use, each after those that it uses itself; they
    are read as STANDING. Raises SchemaInvalid with the JSON path.
    """
    return parse_with_references(text, referenced, strictness=strictness).root


def parse_with_references(
    text: str, referenced: Sequence[str], *, strictness: Strictness
) -> Parsed:
    """Like `parse`; also returns the names of the referenced types."""
    named: dict[str, Node] = {}
    standing = Reader(named, Strictness.STANDING)
    try:
        for one in referenced:
            standing.whole(schema_json(one), "$ of a schema that it refers to")
        names = frozenset(named)
        return Parsed(Reader(named, strictness).whole(schema_json(text), "$"), names)
    except ValueError as error:
        raise SchemaInvalid("$", f"the text is not JSON: {error}") from error
    except RecursionError:
        raise _too_deep() from None


def read(schema: Schema, strictness: Strictness = Strictness.STANDING) -> Node:
    """Returns the type of a schema that refers to no other. Raises SchemaInvalid.

    schema: JSON of the schema as parsed from an .avsc file.
    """
    try:
        return Reader({}, strictness).whole(schema, "$")
    except RecursionError:
        raise _too_deep() from None


def read_schema(schema: Schema) -> Node:
    """Returns the type of a schema that the encoder and the decoder support.

    schema: JSON of the schema as parsed from an .avsc file.
    Raises SchemaInvalid with the JSON path when it is not an Avro schema or nests more than 100
    types.
    """
    root = read(schema)
    check_supported(root)
    return root


def _too_deep() -> SchemaInvalid:
    return SchemaInvalid("$", "it is nested too deeply. Flatten it")
