"""Source of a domain's typed events: literals, parts, event classes, their union, factories."""

from __future__ import annotations

import tokenize
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from typing import Any

from relay.errors import CatalogInvalid
from relay.natural import json_name
from relay.schema.avro.decoder import natural_default
from relay.schema.avro.nodes import ABSENT, Field, Node, records_and_enums, types_of
from relay.schema.avro.parse import read_schema
from relay.schema.catalog import Domain, EventType, SchemaVersion, State
from relay.schema.catalog.entries import class_name
from relay.schema.codegen.source import (
    WIDTH,
    alias,
    bracketed,
    docstring,
    exploded,
    imported,
    literal,
)
from relay.schema.codegen.types import (
    IMPORTS,
    RELAY,
    class_of,
    default_of_field,
    function_name,
    snake,
    type_name,
    type_of,
)

__all__ = ["domain_module", "event_class_name", "generated_versions", "union_name"]

DATACLASS = "@dataclass(frozen=True, slots=True, kw_only=True)"
FACTORIES = "# A factory takes the aggregate's id first; the event occurred now by default."


def generated_versions(event_type: EventType) -> list[SchemaVersion]:
    """Returns the versions that get a class: all but proposed ones, which are not reviewed."""
    return [v for v in event_type.versions.values() if v.state is not State.PROPOSED]


def event_class_name(event_type: EventType, version: SchemaVersion) -> str:
    """OrderPaid for the current version, OrderPaidVersion1 for another.

    OrderPaidV2 is the current version of order.paid.v2, its next major version.
    """
    return type_name(class_name(event_type.name) + _suffix(event_type, version))


def union_name(domain: Domain) -> str:
    """OrdersEvent, the union of the active classes of the domain orders."""
    return type_name(f"{class_name(domain.name)}Event")


def domain_module(domain: Domain) -> str:
    """Source of `<domain>/events.py` without its docstring.

    Raises CatalogInvalid if two types of the domain have the same name and different contents.
    """
    return _Module(domain).text()


def _suffix(event_type: EventType, version: SchemaVersion) -> str:
    return "" if version is event_type.current else f"Version{version.version}"


class _Module:
    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        # Name -> what it stands for, and where.
        self._names: dict[str, tuple[str, str]] = {}
        self._of_unions = {
            name
            for event_type in domain.event_types.values()
            for version in generated_versions(event_type)
            for name in _records_of_unions(read_schema(version.avsc))
        }

    def text(self) -> str:
        """Aliases of enums, then classes, then the union of the active ones and factories."""
        aliases: list[str] = []
        blocks: list[str] = []
        factories: dict[str, str] = {}
        for event_type in self._domain.event_types.values():
            for version in generated_versions(event_type):
                root, suffix = _root(version), _suffix(event_type, version)
                for node in records_and_enums(root):
                    record = self._record(node, root)
                    shape = f"{record} {_shape(node)}"
                    if not self._claim(class_of(node, suffix), shape, version.path.name):
                        continue
                    if node.kind == "enum":
                        aliases.append("\n".join(_literal_alias(node, suffix)))
                    else:
                        blocks.append("\n".join(_part(node, suffix, record)))
                name = event_class_name(event_type, version)
                self._claim(name, version.path.name, version.path.name)
                blocks.append("\n".join(_event(self._domain, event_type, version, root)))
                if version.state is State.ACTIVE:
                    self._claim(function_name(name), version.path.name, version.path.name)
                    factories[name] = f"{function_name(name)} = {name}"
        if aliases:
            blocks.insert(0, "\n\n".join(aliases))
        if factories:
            union = union_name(self._domain)
            self._claim(union, "the union", f"the domain {self._domain.name}")
            lines = [*alias(union, list(factories)), "", FACTORIES, *factories.values()]
            blocks.append("\n".join(lines))
        # ruff wants two empty lines between imports and a class, one before anything else.
        gap = "\n\n" if aliases else "\n\n\n"
        body = "\n\n\n".join(blocks)
        head = "\n".join(_imports(body))
        return f"\n{head}{gap}{body}\n" if body else f"\n{head}\n"

    def _record(self, node: Node, root: Node) -> str:
        """The full name of a record that unions decide for by its class, else empty."""
        name = root.name if node.name == f"{root.name}Part" else node.name
        return name if name in self._of_unions else ""

    def _claim(self, name: str, content: str, owner: str) -> bool:
        """Returns whether the name is new. Raises CatalogInvalid if it has another content."""
        known = self._names.get(name)
        if known is None:
            self._names[name] = (content, owner)
            return True
        if known[0] != content:
            raise CatalogInvalid(
                f"domain {self._domain.name}: {name} in {owner} differs from {name} in {known[1]}. "
                "Rename one of them, or make them equal"
            )
        return False


def _shape(node: Node) -> str:
    """Returns what must be equal for types of one name to share a class."""
    if node.kind == "enum":
        return repr(node.symbols)
    return repr([(f.name, type_of(f.node, ""), _natural_default(f)) for f in node.fields])


def _root(version: SchemaVersion) -> Node:
    """The event's record. If it is recursive, the inner record becomes a part of its own.

    An event has an aggregate and a time, which records inside it don't have.
    """
    root = read_schema(version.avsc)
    event = replace(root)
    if root in records_and_enums(event):
        root.name = f"{root.name}Part"
    return event


def _natural_default(field: Field) -> tuple[Any, ...]:
    """Empty without default. Not Avro's form, in which the number depends on the scale."""
    return () if field.default is ABSENT else (natural_default(field),)


def _imports(body: str) -> list[str]:
    # Tokens, so that words in strings and comments do not count as use.
    tokens = tokenize.generate_tokens(StringIO(body).readline)
    used = {token.string for token in tokens if token.type == tokenize.NAME}
    lines = ["from __future__ import annotations", ""]
    for module, names in IMPORTS.items():
        if found := [name for name in names if name in used]:
            lines.append(f"from {module} import {', '.join(found)}")
    found = [name for name in RELAY if name in used]
    return [*lines, "", *imported("relay.events", found)]


def _literal_alias(node: Node, suffix: str) -> list[str]:
    comment = [f"# {line}" for line in docstring([node.doc], "")[0].strip('"').splitlines()]
    symbols = [literal(symbol) for symbol in node.symbols]
    return [*comment, *bracketed(f"{class_of(node, suffix)}: TypeAlias = Literal[", symbols, "]")]


def _docs(doc: str, fields: list[Field]) -> list[str]:
    return [doc or "No description.", *(f"{snake(f.name)}: {f.doc}" for f in fields if f.doc)]


def _json_names(fields: list[Field], owner: str) -> list[str]:
    attributes: dict[str, str] = {}
    for f in fields:
        if (other := attributes.setdefault(snake(f.name), f.name)) != f.name:
            raise CatalogInvalid(
                f"{owner}: the fields {other} and {f.name} both become the attribute "
                f"{snake(f.name)}. Rename one"
            )
    names = [
        f"{literal(attribute)}: {literal(name)}"
        for attribute, name in attributes.items()
        if name != json_name(attribute)
    ]
    head = "JSON_NAMES: ClassVar[dict[str, str]] = {"
    return exploded(head, names, "}", "    ") if names else []


def _attributes(fields: list[Field], suffix: str) -> list[str]:
    lines = []
    for field in fields:
        line = f"    {snake(field.name)}: {type_of(field.node, suffix)}"
        if field.default is ABSENT:
            lines.append(line)
            continue
        value, mutable = default_of_field(field, suffix)
        factory = {"[]": "list", "{}": "dict"}.get(value, f"lambda: {value}")
        lines.append(
            f"{line} = field(default_factory={factory})" if mutable else f"{line} = {value}"
        )
    return lines


def _records_of_unions(root: Node) -> Iterator[str]:
    """Names of records that are one of several types of a union, for which their class decides."""
    for node in types_of(root):
        types = [branch for branch in node.branches if branch.kind != "null"]
        if len(types) > 1:
            yield from (branch.name for branch in types if branch.kind == "record")


def _part(node: Node, suffix: str, record: str) -> list[str]:
    name = class_of(node, suffix)
    return [
        DATACLASS,
        f"class {name}(Part):",
        *docstring(_docs(node.doc, node.fields), "    "),
        *([""] if node.fields or record else []),
        *(_assigned("    RECORD: ClassVar[str]", literal(record)) if record else []),
        *_json_names(node.fields, node.name),
        *_attributes(node.fields, suffix),
    ]


def _event(domain: Domain, event_type: EventType, version: SchemaVersion, root: Node) -> list[str]:
    suffix = _suffix(event_type, version)
    label = literal(version.event_type)
    return [
        DATACLASS,
        f"class {event_class_name(event_type, version)}(DomainEvent):",
        *docstring(_docs(root.doc, root.fields), "    "),
        "",
        *_assigned(f"    EVENT_TYPE: ClassVar[Literal[{label}]]", label),
        *(
            [f"    SCHEMA_VERSION: ClassVar[int] = {version.version}"]
            if version.version > 1
            else []
        ),
        f"    AGGREGATE_TYPE: ClassVar[str] = {literal(event_type.aggregate)}",
        *_source_module(domain, root),
        *bracketed(
            "SCHEMA: ClassVar[dict[str, Any]] = read_avsc(",
            ["__file__", literal(version.path.name)],
            ")",
            "    ",
        ),
        *_json_names(root.fields, version.path.name),
        *([""] if root.fields else []),
        *_attributes(root.fields, suffix),
    ]


def _assigned(target: str, value: str) -> list[str]:
    line = f"{target} = {value}"
    return [line] if len(line) <= WIDTH else [f"{target} = (", f"        {value}", "    )"]


def _source_module(domain: Domain, root: Node) -> list[str]:
    """Only if it differs from what the event derives from its namespace."""
    if domain.source_module == root.name.split(".")[-2:][0]:
        return []
    return [f"    SOURCE_MODULE: ClassVar[str] = {literal(domain.source_module)}"]
