"""The schema model: a graph of types with full names, used by everything about schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "ABSENT",
    "ASCENDING",
    "NAMED",
    "PRIMITIVES",
    "STRING",
    "Field",
    "Node",
    "Schema",
    "records_and_enums",
    "types_of",
]

# JSON of a schema, as parsed from an .avsc file.
Schema = dict[str, Any] | list[Any] | str

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
NAMED = frozenset({"record", "enum", "fixed"})
ASCENDING = "ascending"
ABSENT: Any = object()
_FIELD_ATTRIBUTES = frozenset({"name", "type", "doc", "default", "order", "aliases"})
_TYPE_ATTRIBUTES = frozenset(
    {"type", "name", "namespace", "doc", "aliases", "fields", "symbols", "default", "size"}
    | {"items", "values", "precision", "scale"}
)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record.

    default: in Avro's JSON form, ABSENT for none. aliases: other names that readers match it by,
    each once. order: its role when records are sorted. json: the field as written.
    """

    name: str
    node: Node
    default: Any = ABSENT
    aliases: tuple[str, ...] = ()
    order: str = ASCENDING
    json: Mapping[str, Any] = field(default_factory=dict)

    @property
    def doc(self) -> str:
        """Its description."""
        return _doc(self.json)

    @property
    def properties(self) -> dict[str, Any]:
        """Attributes that Avro does not define."""
        return {key: value for key, value in self.json.items() if key not in _FIELD_ATTRIBUTES}


@dataclass(eq=False, slots=True)
class Node:
    """A type. All references to a named type are one node; a recursive type is a cycle.

    kind: Avro's type name, `union` for unions, `record` for errors. form: the logical type if it
    is supported, else the kind. name, aliases: full names of a record, enum or fixed.
    size: bytes of a fixed. precision, scale: of a decimal. items: of an array or a map.
    branches: of a union. json: the type as written, empty for a name only.
    """

    kind: str
    form: str
    name: str = ""
    fields: list[Field] = field(default_factory=list)
    symbols: tuple[str, ...] = ()
    default_symbol: str | None = None
    aliases: tuple[str, ...] = ()
    size: int = 0
    precision: int = 0
    scale: int = 0
    items: Node | None = None
    branches: tuple[Node, ...] = ()
    json: Mapping[str, Any] = field(default_factory=dict)

    @property
    def doc(self) -> str:
        """Description of a record, enum or fixed."""
        return _doc(self.json) if self.name else ""

    @property
    def properties(self) -> dict[str, Any]:
        """Attributes that Avro does not define, and a logicalType that is not supported."""
        understood = self.json.get("logicalType") == self.form
        return {
            key: value
            for key, value in self.json.items()
            if key not in _TYPE_ATTRIBUTES and not (understood and key == "logicalType")
        }

    @property
    def element(self) -> Node:
        """The type of an array's items or a map's values."""
        assert self.items is not None
        return self.items

    @property
    def parts(self) -> list[Node]:
        """The types directly inside, in the order of the schema."""
        items = [] if self.items is None else [self.items]
        return [*(field.node for field in self.fields), *items, *self.branches]


STRING = Node("string", "string")


def types_of(root: Node) -> Iterator[Node]:
    """Yields a type and all types inside, each once, in the order of the schema."""
    seen: set[Node] = set()
    ahead = [root]
    while ahead:
        node = ahead.pop()
        if node not in seen:
            seen.add(node)
            yield node
            ahead += reversed(node.parts)


def records_and_enums(root: Node) -> list[Node]:
    """Returns the records and enums inside a type, in the order of the schema."""
    return [node for node in types_of(root) if node.kind in {"record", "enum"} and node is not root]


def _doc(json: Mapping[str, Any]) -> str:
    """As in Java, a doc that is not a string is ignored."""
    doc = json.get("doc")
    return doc if isinstance(doc, str) else ""
