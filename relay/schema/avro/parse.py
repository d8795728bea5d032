"""From the text or the JSON of a schema to its nodes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from relay.schema.avro.invalid import SchemaInvalid
from relay.schema.avro.nodes import Node, Schema
from relay.schema.avro.reader import Reader
from relay.schema.avro.strictness import Strictness
from relay.schema.avro.supported import check_supported

__all__ = ["Parsed", "parse", "parse_with_references", "read", "read_schema"]


class Parsed(NamedTuple):
    """The type of a text. referenced: names of the types that other texts define."""

    root: Node
    referenced: frozenset[str]


def parse(
    text: str, referenced: Sequence[str] = (), *, strictness: Strictness = Strictness.JAVA
) -> Node:
    """The type of `text`.

    referenced: texts whose named types it may use, each after those that it needs itself. They
    are standing schemas, and are read as such.
    Raises SchemaInvalid with the JSON path of the mistake.
    """
    return parse_with_references(text, referenced, strictness=strictness).root


def parse_with_references(
    text: str, referenced: Sequence[str], *, strictness: Strictness
) -> Parsed:
    """The type of `text` apart from the types that it may refer to; see `parse`."""
    named: dict[str, Node] = {}
    standing = Reader(named, Strictness.STANDING)
    try:
        for one in referenced:
            standing.read(json.loads(one), "", "$ of a schema that it refers to")
        names = frozenset(named)
        return Parsed(Reader(named, strictness).read(json.loads(text), "", "$"), names)
    except json.JSONDecodeError as error:
        raise SchemaInvalid("$", f"the text is not JSON: {error}") from error
    except RecursionError:
        raise _too_deep() from None


def read(schema: Schema, strictness: Strictness = Strictness.STANDING) -> Node:
    """The type of a schema that refers to no other. Raises SchemaInvalid.

    schema: JSON of the schema as parsed from an .avsc file.
    """
    try:
        return Reader({}, strictness).read(schema, "", "$")
    except RecursionError:
        raise _too_deep() from None


def read_schema(schema: Schema) -> Node:
    """The type of a schema that the encoder and the decoder can use.

    schema: JSON of the schema as parsed from an .avsc file.
    Raises SchemaInvalid with the JSON path when it is not an Avro schema, uses `duration` or
    nests more than 100 types within each other.
    """
    root = read(schema)
    check_supported(root)
    return root


def _too_deep() -> SchemaInvalid:
    return SchemaInvalid("$", "it is nested too deeply. Flatten it")
