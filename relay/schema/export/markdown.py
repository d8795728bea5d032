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
from relay.schema.export.words import type_in_words

__all__ = ["catalog_page"]

HEAD = """\
# Catalog

The events that services publish, by domain. Made from the schemas folder by `relay schemas export
--markdown`: change the schemas, not this page.

Records are framed Avro under the schema version named here, with the aggregate's id as key: order
is kept within an aggregate. Exactly once holds for consumers with `isolation.level=read_committed`.
"""


def catalog_page(catalog: Catalog) -> str:
    """Domains with owner and topic, event types with versions, fields and consumer groups.

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
    yield f"## {domain.name}"
    yield ""
    partitions = _count(domain.partitions, "partition")
    yield (
        f"Owner {_text(domain.owner)}, topic `{domain.topic}` with {partitions}, published by the "
        f"module `{domain.source_module}`, compatibility {domain.compatibility}."
    )
    yield ""
    for event_type in domain.event_types.values():
        yield from _event_type(event_type)


def _event_type(event_type: EventType) -> Iterator[str]:
    yield f"### {event_type.name}"
    yield ""
    shown = [v for v in event_type.versions.values() if v.state is not State.RETIRED]
    newest = event_type.active or (shown[-1] if shown else None)
    doc = event_type.doc or (newest.avsc.get("doc", "") if newest else "")
    if doc:
        yield _text(doc)
        yield ""
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
    yield f"Version {version.version}, {version.state}, subject `{version.subject}`"
    yield ""
    yield from _fields(root)
    for node in records_and_enums(root):
        if node.kind == "enum":
            symbols = ", ".join(f"`{symbol}`" for symbol in node.symbols)
            other = node.default_symbol
            rest = f"; readers take `{other}` for one they don't know" if other else ""
            yield f"{_title(node)} One of {symbols}{rest}."
            yield ""
        else:
            yield _title(node)
            yield ""
            yield from _fields(node)


def _fields(node: Node) -> Iterator[str]:
    if not node.fields:
        yield "No fields."
        yield ""
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
    value = natural_default(field.node, field.default)
    return _code(json.dumps(value, ensure_ascii=False)).replace("|", "\\|")


def _groups(catalog: Catalog) -> Iterator[str]:
    yield "## Consumer groups"
    yield ""
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
    """GitHub's name of a heading: lower case, no punctuation."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _text(doc: str) -> str:
    # What looks like a tag would not be shown.
    return " ".join(doc.split()).replace("<", "&lt;")


def _code(text: str) -> str:
    """A code span: its marks have to be more than any run of them within."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    marks = "`" * (longest + 1)
    return f"{marks}{text}{marks}"


def _cell(text: str) -> str:
    """Within a table a bar would end the cell and a line break the table."""
    return _text(text).replace("|", "\\|")
