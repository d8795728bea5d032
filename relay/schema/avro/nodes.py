"""A schema as a graph of nodes with names resolved, which encoders and generators walk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from relay.errors import CatalogInvalid
from relay.schema.avro.fingerprint import Schema

__all__ = ["ABSENT", "LOGICAL", "Field", "Node", "full_name", "read_schema"]

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
DEFINING = PRIMITIVES | {"record", "error", "enum", "fixed", "array", "map"}
# (physical type, logicalType) pairs that are understood; all others mean the physical type.
LOGICAL = frozenset(
    {
        ("int", "date"),
        ("int", "time-millis"),
        ("long", "time-micros"),
        ("long", "timestamp-millis"),
        ("long", "timestamp-micros"),
        ("long", "timestamp-nanos"),
        ("long", "local-timestamp-millis"),
        ("long", "local-timestamp-micros"),
        ("long", "local-timestamp-nanos"),
        ("string", "uuid"),
        ("fixed", "uuid"),
        ("bytes", "decimal"),
        ("fixed", "decimal"),
    }
)
# Programs that walk a schema take a few calls a level of Python's thousand.
DEEPEST = 100
# More digits than anybody counts; powers of ten of a misprint would take minutes.
MOST_DIGITS = 10_000
ABSENT: Any = object()
FIELD_ATTRIBUTES = frozenset({"name", "type", "doc", "default", "order", "aliases"})
TYPE_ATTRIBUTES = frozenset(
    {"type", "name", "namespace", "doc", "aliases", "fields", "symbols", "default", "size"}
    | {"items", "values", "precision", "scale"}
)


@dataclass(frozen=True)
class Field:
    """A field of a record. default is in Avro's own JSON form, ABSENT when there is none.

    order: how it counts when records are sorted. properties: attributes that are not Avro's.
    """

    name: str
    node: Node
    default: Any
    doc: str
    aliases: tuple[str, ...]
    order: str = "ascending"
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Node:
    """A type. `form` is the logical type where one is understood, else `kind`.

    kind: Avro's type name, `union` for unions. size: bytes of a fixed. precision, scale:
    of a decimal. items: of an array or a map. branches: of a union. properties: attributes that
    are not Avro's, and a logicalType that is not understood.
    """

    kind: str
    form: str
    name: str = ""
    doc: str = ""
    fields: list[Field] = field(default_factory=list)
    symbols: tuple[str, ...] = ()
    default_symbol: str | None = None
    aliases: tuple[str, ...] = ()
    size: int = 0
    precision: int = 0
    scale: int = 0
    items: Node | None = None
    branches: tuple[Node, ...] = ()
    properties: dict[str, Any] = field(default_factory=dict)

    @property
    def element(self) -> Node:
        """What an array or a map holds."""
        assert self.items is not None
        return self.items

    @property
    def parts(self) -> list[Node]:
        """The types that it is made of, in the order of the text."""
        items = [] if self.items is None else [self.items]
        return [*(field.node for field in self.fields), *items, *self.branches]


def read_schema(schema: Schema) -> Node:
    """Nodes of a schema; recursive records are cycles.

    schema: JSON of the schema as parsed from an .avsc file.
    Raises CatalogInvalid with the place when it is no Avro schema, uses `duration` or nests more
    than 100 types within each other.
    """
    return _Reader().read(schema, "", "the schema")


class _Reader:
    def __init__(self) -> None:
        self._named: dict[str, Node] = {}
        self._depth = 0

    def read(self, schema: Any, namespace: str, where: str) -> Node:
        if self._depth >= DEEPEST:
            raise CatalogInvalid(f"types nest more than {DEEPEST} levels. Flatten the schema")
        self._depth += 1
        try:
            return self._read(schema, namespace, where)
        finally:
            self._depth -= 1

    def _read(self, schema: Any, namespace: str, where: str) -> Node:
        if isinstance(schema, list):
            return self._union(schema, namespace, where)
        if isinstance(schema, str):
            if schema in PRIMITIVES:
                return Node(schema, schema)
            named = self._named.get(full_name(schema, namespace)) or self._named.get(schema)
            if named is None:
                raise CatalogInvalid(f"{where}: unknown type {schema!r}. Define it before its use")
            return named
        if not isinstance(schema, dict) or "type" not in schema:
            raise CatalogInvalid(f"{where}: {schema!r} is no Avro type. Give a name or a type")
        kind = schema["type"]
        if not isinstance(kind, str) or kind not in DEFINING:
            return self.read(kind, namespace, where)
        node = self._define(kind, schema, namespace, where)
        node.properties = _others(schema, TYPE_ATTRIBUTES)
        if node.form == schema.get("logicalType"):
            del node.properties["logicalType"]
        return node

    def _define(self, kind: str, schema: dict[str, Any], namespace: str, where: str) -> Node:
        match kind:
            case "record" | "error":
                return self._record(schema, namespace, where)
            case "enum" | "fixed":
                return self._enum_or_fixed(schema, namespace, where)
            case "array":
                items = self.read(schema.get("items"), namespace, f"{where}, items")
                return Node("array", "array", items=items)
            case "map":
                values = self.read(schema.get("values"), namespace, f"{where}, values")
                return Node("map", "map", items=values)
            case _:
                return _with_logical(Node(kind, kind), schema, where)

    def _union(self, branches: list[Any], namespace: str, where: str) -> Node:
        nodes = tuple(self.read(branch, namespace, where) for branch in branches)
        keys = [node.name or node.kind for node in nodes]
        if not nodes or len(set(keys)) < len(keys) or "union" in keys:
            raise CatalogInvalid(f"{where}: bad union of {keys}. List different types, no union")
        return Node("union", "union", branches=nodes)

    def _declare(self, node: Node, schema: dict[str, Any], namespace: str, where: str) -> str:
        name = schema.get("name")
        if not isinstance(name, str) or not name:
            raise CatalogInvalid(f"{where}: a {node.kind} without a name. Name it")
        own = schema.get("namespace", namespace)
        if own is not None and not isinstance(own, str):
            raise CatalogInvalid(f"{where}: the namespace {own!r} is no text. Quote it")
        node.name = full_name(name, own)
        if node.name in self._named:
            raise CatalogInvalid(f"{where}: {node.name} is defined twice. Refer to it by name")
        self._named[node.name] = node
        inner = node.name.rpartition(".")[0]
        aliases = _aliases(schema, node.name)
        node.aliases = tuple(full_name(alias, inner) for alias in aliases)
        return inner

    def _record(self, schema: dict[str, Any], namespace: str, where: str) -> Node:
        node = Node("record", "record", doc=_doc(schema))
        inner = self._declare(node, schema, namespace, where)
        if not isinstance(schema.get("fields"), list):
            raise CatalogInvalid(
                f"{node.name}: a record without fields. List them, or an empty list"
            )
        for entry in schema["fields"]:
            name = entry.get("name") if isinstance(entry, dict) else None
            if not isinstance(name, str) or "type" not in entry:
                raise CatalogInvalid(f"{node.name}: field {entry!r} needs a name and a type")
            if any(known.name == name for known in node.fields):
                raise CatalogInvalid(f"{node.name}: field {name!r} is listed twice. Remove one")
            of = self.read(entry["type"], inner, f"{node.name}.{name}")
            default = entry.get("default", ABSENT)
            node.fields.append(
                Field(
                    name,
                    of,
                    default,
                    _doc(entry),
                    _aliases(entry, f"{node.name}.{name}"),
                    order=entry.get("order", "ascending"),
                    properties=_others(entry, FIELD_ATTRIBUTES),
                )
            )
        return node

    def _enum_or_fixed(self, schema: dict[str, Any], namespace: str, where: str) -> Node:
        kind = schema["type"]
        node = Node(kind, kind, doc=_doc(schema))
        self._declare(node, schema, namespace, where)
        if kind == "enum":
            symbols: Any = schema.get("symbols")
            if not _are_texts(symbols) or len(set(symbols)) < len(symbols) or not symbols:
                raise CatalogInvalid(f"{node.name}: bad symbols {symbols!r}. List different names")
            node.symbols = tuple(symbols)
            node.default_symbol = schema.get("default")
            if node.default_symbol is not None and node.default_symbol not in symbols:
                raise CatalogInvalid(
                    f"{node.name}: the default {node.default_symbol!r} is none of its symbols. "
                    "Add it to them, or give one of them"
                )
            return node
        node.size = schema.get("size", -1)
        if type(node.size) is not int or node.size < 0:
            raise CatalogInvalid(f"{node.name}: bad size {node.size!r}. Give the bytes' number")
        return _with_logical(node, schema, where)


def _doc(schema: dict[str, Any]) -> str:
    """Java takes a doc that is no text for none."""
    doc = schema.get("doc")
    return doc if isinstance(doc, str) else ""


def _others(schema: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in known}


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _aliases(schema: dict[str, Any], where: str) -> tuple[str, ...]:
    aliases = schema.get("aliases", [])
    if not _are_texts(aliases):
        raise CatalogInvalid(f"{where}: bad aliases {aliases!r}. Give a list of names")
    return tuple(aliases)


def full_name(name: str, namespace: str | None) -> str:
    """A name with its namespace, which is that around it where it has none itself.

    Source: Apache Avro 1.12 specification, "Names".
    """
    return name if "." in name or not namespace else f"{namespace}.{name}"


def _with_logical(node: Node, schema: dict[str, Any], where: str) -> Node:
    logical = schema.get("logicalType")
    if logical == "duration":
        raise CatalogInvalid(
            f"{where}: the logical type duration is not supported. "
            "Use a long of milliseconds, or two timestamps"
        )
    if not isinstance(logical, str) or (node.kind, logical) not in LOGICAL:
        return node
    if logical == "uuid" and node.kind == "fixed" and node.size != 16:
        return node
    if logical == "decimal":
        precision, scale = schema.get("precision"), schema.get("scale", 0)
        if type(precision) is not int or type(scale) is not int or not 0 <= scale <= precision > 0:
            raise CatalogInvalid(
                f"{where}: decimal({precision}, {scale}). Give a precision above 0 and a scale "
                "between 0 and the precision"
            )
        if precision > MOST_DIGITS:
            raise CatalogInvalid(
                f"{where}: decimal({precision}, {scale}) has more than {MOST_DIGITS:,} digits. "
                "Lower the precision"
            )
        room = (8 * node.size - 1) * 0.30102999566398119
        if node.kind == "fixed" and precision > int(room):
            raise CatalogInvalid(
                f"{where}: {node.size} bytes hold {int(room)} digits, not {precision}. "
                "Raise the size or lower the precision"
            )
        node.precision, node.scale = precision, scale
    node.form = logical
    return node
