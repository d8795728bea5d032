"""Source of a domain's typed events: literals, parts, event classes, their union, factories."""

from __future__ import annotations

import json
import tokenize
from dataclasses import replace
from io import StringIO
from typing import Any

from relay.errors import CatalogInvalid
from relay.natural import json_name
from relay.schema.avro.decoder import natural_default
from relay.schema.avro.nodes import ABSENT, Field, Node, records_and_enums
from relay.schema.avro.parse import read_schema
from relay.schema.catalog import Domain, EventType, SchemaVersion, State
from relay.schema.catalog.entries import class_name
from relay.schema.codegen.factories import factory
from relay.schema.codegen.names import IMPORTS, RELAY, function_name, snake, type_name
from relay.schema.codegen.source import (
    alias,
    bracketed,
    docstring,
    exploded,
    exports,
    imported,
    literal,
    wrapped_text,
)
from relay.schema.codegen.types import class_of, default_of_field, type_of

__all__ = ["domain_module", "event_class_name", "generated_versions", "union_name"]

DATACLASS = "@dataclass(frozen=True, slots=True, kw_only=True)"


def generated_versions(event_type: EventType) -> list[SchemaVersion]:
    """The versions that get a class: all but the proposed ones, which nobody has reviewed."""
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

    Raises CatalogInvalid where two types of the domain have one name and different contents.
    """
    return _Module(domain).text()


def _suffix(event_type: EventType, version: SchemaVersion) -> str:
    return "" if version is event_type.current else f"Version{version.version}"


class _Module:
    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._names: dict[str, tuple[str, str]] = {}

    def text(self) -> str:
        """Blocks of source, two empty lines between them."""
        types: list[list[str]] = []
        events: list[list[str]] = []
        factories: list[list[str]] = []
        active: list[str] = []
        for event_type in self._domain.event_types.values():
            for version in generated_versions(event_type):
                root = _root(version)
                name = event_class_name(event_type, version)
                types += self._types(root, version, _suffix(event_type, version))
                self._claim_once(name, version)
                events.append(_event(self._domain, event_type, version, root))
                if version.state is State.ACTIVE:
                    active.append(name)
                    self._claim_once(function_name(name), version)
                    factories.append(factory(event_type, name, root))
        union: list[list[str]] = []
        if active:
            self._claim(union_name(self._domain), "the union", f"the domain {self._domain.name}")
            union = [alias(union_name(self._domain), active)]
        body = "\n\n\n".join("\n".join(b) for b in [*types, *events, *union, *factories])
        head = "\n".join([*_imports(body), "", *exports(self._names)])
        return f"\n{head}\n\n\n{body}\n" if body else f"\n{head}\n"

    def _types(self, root: Node, version: SchemaVersion, suffix: str) -> list[list[str]]:
        return [
            _literal_alias(node, suffix) if node.kind == "enum" else _part(node, suffix)
            for node in records_and_enums(root)
            if self._claim(class_of(node, suffix), _shape(node), f"{version.path.name}")
        ]

    def _claim_once(self, name: str, version: SchemaVersion) -> None:
        self._claim(name, version.path.name, version.path.name)

    def _claim(self, name: str, content: str, owner: str) -> bool:
        """Whether the name is new; refuses one name for two contents."""
        known = self._names.get(name)
        if known is None:
            self._names[name] = (content, owner)
            return True
        if known[0] != content:
            raise CatalogInvalid(
                f"domain {self._domain.name}: {name} in {owner} differs from {name} in {known[1]}. "
                "Rename one of them, or make them alike"
            )
        return False


def _shape(node: Node) -> str:
    """What decides whether two types of one name can share a class."""
    if node.kind == "enum":
        return repr(node.symbols)
    return repr([(f.name, type_of(f.node, ""), _natural_default(f)) for f in node.fields])


def _root(version: SchemaVersion) -> Node:
    """The event's own record; where it lies within itself, what lies there is a part.

    An event has an aggregate and a time that the records within it lack.
    """
    root = read_schema(version.avsc)
    event = replace(root)
    if root in records_and_enums(event):
        root.name = f"{root.name}Part"
    return event


def _natural_default(field: Field) -> tuple[Any, ...]:
    """Empty without one: the same bytes mean another number under another scale."""
    return () if field.default is ABSENT else (natural_default(field.node, field.default),)


def _imports(body: str) -> list[str]:
    # Tokens, so that a word in a text does not count as use.
    tokens = tokenize.generate_tokens(StringIO(body).readline)
    used = {token.string for token in tokens if token.type == tokenize.NAME}
    lines = ["from __future__ import annotations", ""]
    lines += ["import json"] if "json.loads" in body else []
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


def _part(node: Node, suffix: str) -> list[str]:
    name = class_of(node, suffix)
    return [
        DATACLASS,
        f"class {name}(Part):",
        *docstring(_docs(node.doc, node.fields), "    "),
        *([""] if node.fields else []),
        *_json_names(node.fields, node.name),
        *_attributes(node.fields, suffix),
    ]


def _event(domain: Domain, event_type: EventType, version: SchemaVersion, root: Node) -> list[str]:
    suffix = _suffix(event_type, version)
    label = literal(version.event_type)
    schema = json.dumps(_without_docs(version.avsc), ensure_ascii=False, separators=(",", ":"))
    return [
        DATACLASS,
        f"class {event_class_name(event_type, version)}(DomainEvent):",
        *docstring(_docs(root.doc, root.fields), "    "),
        "",
        f"    EVENT_TYPE: ClassVar[Literal[{label}]] = {label}",
        *(
            [f"    SCHEMA_VERSION: ClassVar[int] = {version.version}"]
            if version.version > 1
            else []
        ),
        f"    AGGREGATE_TYPE: ClassVar[str] = {literal(event_type.aggregate)}",
        *_source_module(domain, root),
        "    SCHEMA: ClassVar[dict[str, Any]] = json.loads(",
        *wrapped_text(schema, "        "),
        "    )",
        *_json_names(root.fields, version.path.name),
        *([""] if root.fields else []),
        *_attributes(root.fields, suffix),
    ]


def _source_module(domain: Domain, root: Node) -> list[str]:
    """Only where it is not what the event takes from its namespace."""
    if domain.source_module == root.name.split(".")[-2:][0]:
        return []
    return [f"    SOURCE_MODULE: ClassVar[str] = {literal(domain.source_module)}"]


def _without_docs(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_docs(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    # Under "default" stands data, whose keys may be called doc.
    return {
        key: value if key == "default" else _without_docs(value)
        for key, value in schema.items()
        if key != "doc"
    }
