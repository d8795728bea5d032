"""The catalog as a Markdown page (CommonMark with GitHub's tables)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from relay.schema.avro.decoder import natural_default
from relay.schema.avro.names import short_name
from relay.schema.avro.nodes import ABSENT, Field, Node, records_and_enums
from relay.schema.avro.parse import read_schema
from relay.schema.catalog import Catalog, Domain, EventType, SchemaVersion, State

__all__ = ["catalog_page", "type_in_words"]


HEAD = """\
# Catalog

The events that services publish, by domain. Made from the schemas folder by `relay schemas export
--markdown`: change the schemas, not this page.

Records are framed Avro under the schema version named here, with the aggregate's id as key: order
is kept within an aggregate. Exactly once holds for consumers with `isolation.level=read_committed`.
"""


WORDS = {
    "boolean": "true or false",
    "int": "whole number (32 bits)",
    "long": "whole number (64 bits)",
    "float": "number (32 bits)",
    "double": "number (64 bits)",
    "string": "text",
    "bytes": "bytes",
    "uuid": "UUID",
    "null": "null",
    "date": "date",
    "time-millis": "time of day to the millisecond",
    "time-micros": "time of day to the microsecond",
    "timestamp-millis": "timestamp to the millisecond",
    "timestamp-micros": "timestamp to the microsecond",
    "timestamp-nanos": "timestamp to the nanosecond",
    "local-timestamp-millis": "local timestamp to the millisecond",
    "local-timestamp-micros": "local timestamp to the microsecond",
    "local-timestamp-nanos": "local timestamp to the nanosecond",
}


def catalog_page(catalog: Catalog) -> str:
    """Lists domains with owner and topic, event types with versions and fields, consumer groups.

    Retired versions are listed by number only. Equal catalogs give equal pages.
    """
    lines = [HEAD, *_overview(catalog)]
    for domain in catalog.domains.values():
        lines += _domain(domain)
    lines += _groups(catalog)
    return "\n".join(lines).rstrip("\n") + "\n"


def _overview(catalog: Catalog) -> Iterator[str]:
    yield "| Domain | Owner | Topic | Event types |"
    yield "|---|---|---|---|"
    for domain in catalog.domains.values():
        name = f"[{domain.name}](#{_anchor(domain.name)})"
        yield f"| {name} | {_cell(domain.owner)} | `{domain.topic}` | {len(domain.event_types)} |"
    yield ""


def _domain(domain: Domain) -> Iterator[str]:
    yield f"## {domain.name}\n"
    partitions = _count(domain.partitions, "partition")
    yield (
        f"Owner {_text(domain.owner)}, topic `{domain.topic}` with {partitions}, published by the "
        f"module `{domain.source_module}`, compatibility {domain.compatibility}.\n"
    )
    for event_type in domain.event_types.values():
        yield from _event_type(event_type)


def _event_type(event_type: EventType) -> Iterator[str]:
    yield f"### {event_type.name}\n"
    shown = [v for v in event_type.versions.values() if v.state is not State.RETIRED]
    newest = event_type.active or (shown[-1] if shown else None)
    doc = event_type.doc or (newest.avsc.get("doc", "") if newest else "")
    if doc:
        yield f"{_text(doc)}\n"
    groups = ", ".join(f"`{group}`" for group in event_type.groups) or "nobody"
    versions = ", ".join(f"{v.version} {v.state}" for v in event_type.versions.values())
    yield f"- Aggregate: `{event_type.aggregate}`"
    yield f"- Versions: {versions}"
    yield f"- Consumer groups: {groups}"
    if event_type.replaces:
        yield f"- Major version {event_type.major}, replaces `{event_type.replaces}`"
    yield ""
    for version in shown:
        yield from _version(version)


def _version(version: SchemaVersion) -> Iterator[str]:
    root = read_schema(version.avsc)
    yield f"Version {version.version}, {version.state}, subject `{version.subject}`\n"
    yield from _fields(root)
    for node in records_and_enums(root):
        if node.kind == "enum":
            symbols = ", ".join(f"`{symbol}`" for symbol in node.symbols)
            other = node.default_symbol
            rest = f"; readers take `{other}` for one they don't know" if other else ""
            yield f"{_title(node)} One of {symbols}{rest}.\n"
        else:
            yield f"{_title(node)}\n"
            yield from _fields(node)


def _fields(node: Node) -> Iterator[str]:
    if not node.fields:
        yield "No fields.\n"
        return
    yield "| Field | Type | Default | Meaning |"
    yield "|---|---|---|---|"
    for field in node.fields:
        yield (
            f"| `{field.name}` | {type_in_words(field.node)} | {_default(field)} "
            f"| {_cell(_meaning(field))} |"
        )
    yield ""


def _meaning(field: Field) -> str:
    personal = "Personal data." if field.properties.get("pii") else ""
    return " ".join(part for part in (field.doc, personal) if part)


def _default(field: Field) -> str:
    if field.default is ABSENT:
        return ""
    value = natural_default(field)
    return _code(json.dumps(value, ensure_ascii=False)).replace("|", "\\|")


def _groups(catalog: Catalog) -> Iterator[str]:
    yield "## Consumer groups\n"
    yield "| Group | Topic | Event types | Dead letters |"
    yield "|---|---|---|---|"
    for group, topics in catalog.groups.items():
        for topic, names in topics.items():
            links = ", ".join(f"[{name}](#{_anchor(name)})" for name in names)
            dlq = catalog.dlq_topic(topic, group)
            yield f"| `{group}` | `{topic}` | {links} | `{dlq}` |"


def _title(node: Node) -> str:
    name = short_name(node.name)
    return f"**{name}**: {_text(node.doc)}" if node.doc else f"**{name}**:"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _anchor(heading: str) -> str:
    """GitHub's anchor of a heading: lower case, without punctuation."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _text(doc: str) -> str:
    # GitHub would hide what looks like a tag.
    return " ".join(doc.split()).replace("<", "&lt;")


def _code(text: str) -> str:
    """A code span: needs more backticks around than any run of them inside."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    marks = "`" * (longest + 1)
    return f"{marks}{text}{marks}"


def _cell(text: str) -> str:
    """In a table a bar would end the cell, and a line break the table."""
    return _text(text).replace("|", "\\|")


def type_in_words(node: Node) -> str:
    """`decimal with 12 digits, 2 of them after the point`; records and enums by their names."""
    match node.form:
        case "record" | "enum":
            return short_name(node.name)
        case "array":
            return f"list of {type_in_words(node.element)}"
        case "map":
            return f"map of text to {type_in_words(node.element)}"
        case "union":
            # null comes last, wherever the schema has it: it reads as "may be missing".
            names = sorted((type_in_words(branch) for branch in node.branches), key="null".__eq__)
            return " or ".join(names)
        case "decimal":
            places = f", {node.scale} of them after the point" if node.scale else ""
            return f"decimal with {node.precision} digits{places}"
        case "fixed":
            return f"{node.size} bytes"
    return WORDS[node.form]
