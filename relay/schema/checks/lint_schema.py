"""Rules on one schema: what is valid Avro but will cause trouble."""

from __future__ import annotations

import re
from collections.abc import Iterator

from relay.schema.avro.invalid import SchemaInvalid
from relay.schema.avro.names import Strictness, short_name
from relay.schema.avro.nodes import Field, Node, Schema
from relay.schema.avro.parse import read, read_schema
from relay.schema.avro.supported import decimal_problem
from relay.schema.checks.aliases import taken_aliases
from relay.schema.checks.finding import ERROR, WARNING, LintFinding
from relay.schema.checks.overlap import overlapping
from relay.schema.checks.vocabulary import speaks_of_money, speaks_of_people, words_of
from relay.schema.checks.words import ROOT, item_path, listed, place, type_words, value_path

__all__ = ["lint", "unreadable"]

TYPE_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
FIELD_NAME = re.compile(r"[a-z][A-Za-z0-9]*")
SYMBOL = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")
# Values of these types can be personal data; a boolean or a count is not.
TELLING = frozenset({"string", "bytes", "fixed", "record"})
CORRECT = "Write it as the specification requires: clients in other languages refuse it."
DISTINGUISH = "Use one type, or records that each require a field which the other lacks."
ADD_DOC = "Say in one sentence what it means, in which unit, and when it is null or empty."
RENAME = "Rename it; where events of it exist, keep the old name as an alias."


def lint(schema: Schema) -> list[LintFinding]:
    """Findings on one schema, in the order of the schema.

    schema: JSON of the schema as parsed from an .avsc file.
    Raises CatalogInvalid when it is not an Avro schema.
    """
    root = read_schema(schema)
    return [
        *_by_specification(schema),
        *taken_aliases(root),
        *_findings(root, ROOT, (), set()),
    ]


def unreadable(problem: str) -> LintFinding:
    """The finding on a file that can't be read as a schema."""
    return LintFinding("unreadable", ERROR, ROOT, problem, "Correct the file.")


def _by_specification(schema: Schema) -> Iterator[LintFinding]:
    try:
        read(schema, Strictness.SPECIFICATION)
    except SchemaInvalid as error:
        problem = f"Only Java's parser takes it: {error}"
        yield LintFinding("against-specification", ERROR, ROOT, problem, CORRECT)


def _findings(
    node: Node, path: str, records: tuple[Node, ...], seen: set[str]
) -> Iterator[LintFinding]:
    """Findings on a type and all within it; a named type is entered where it comes first.

    records: those around the type, from the outermost to the innermost.
    """
    if node.name:
        if node.name in seen:
            return
        seen.add(node.name)
        yield from _named_type(node, path)
    yield from _ignored(node, path)
    match node.kind:
        case "union":
            yield from _ambiguous(node, path)
            for branch in node.branches:
                yield from _findings(branch, path, records, seen)
        case "array":
            yield from _findings(node.element, item_path(path), records, seen)
        case "map":
            yield from _findings(node.element, value_path(path), records, seen)
        case "record":
            inside = (*records, node)
            for field in node.fields:
                at = f"{path}.{field.name}"
                yield from _field(field, at)
                yield from _money(field, at, inside)
                yield from _field_name(field, at)
                yield from _findings(field.node, at, inside, seen)


def _named_type(node: Node, path: str) -> Iterator[LintFinding]:
    name = short_name(node.name)
    if node.kind == "enum" and node.default_symbol is None:
        # Source: Avro 1.12 specification, "Enums" and "Schema Resolution".
        problem = (
            f"The enum {name} has no default, so readers of today fail on every symbol that is "
            "added later."
        )
        fix = "Add a symbol such as OTHER and make it the enum's default."
        yield LintFinding("enum-without-default", WARNING, path, problem, fix)
    if node.kind in {"record", "enum"} and not node.doc.strip():
        problem = f"The {type_words(node)} has no doc."
        yield LintFinding("missing-doc", WARNING, path, problem, ADD_DOC)
    if not TYPE_NAME.fullmatch(name):
        problem = f"The {node.kind} {name} is not in CamelCase."
        yield LintFinding("name-against-convention", WARNING, path, problem, RENAME)
    wrong = [symbol for symbol in node.symbols if not SYMBOL.fullmatch(symbol)]
    if wrong:
        problem = f"Symbols of the enum {name} are not in UPPER_SNAKE: {listed(wrong)}."
        fix = "Rename them before the first event; symbols have no aliases."
        yield LintFinding("symbol-against-convention", WARNING, path, problem, fix)


def _ignored(node: Node, path: str) -> Iterator[LintFinding]:
    logical = node.json.get("logicalType")
    if logical is None or logical == node.form:
        return
    why = decimal_problem(node.kind, node.json) if logical == "decimal" else ""
    problem = (
        f"{place(path)} has the logical type {logical}, which readers ignore here: they take "
        f"{node.kind}."
    )
    fix = why or "Correct its name or its type, or remove it."
    yield LintFinding("logical-type-ignored", WARNING, path, problem, fix)


def _ambiguous(union: Node, path: str) -> Iterator[LintFinding]:
    for one, other in overlapping(union):
        problem = (
            f"{place(path)} may be {type_words(one)} or {type_words(other)}, and some values fit "
            "both. A payload does not say which one is meant, so such an event is not published."
        )
        yield LintFinding("ambiguous-union", ERROR, path, problem, DISTINGUISH)


def _field(field: Field, path: str) -> Iterator[LintFinding]:
    if field.default is None and field.node.kind == "union":
        # Until Avro 1.12 a default belongs to a union's first branch; many clients expect that.
        first = field.node.branches[0]
        if first.kind != "null":
            problem = (
                f"{place(path)} has the default null, but {type_words(first)} comes first in its "
                "union; clients that take a default for the first branch refuse the schema."
            )
            fix = "Put null first in the union."
            yield LintFinding("null-default-not-first", ERROR, path, problem, fix)
    if not field.doc.strip():
        yield LintFinding("missing-doc", WARNING, path, f"{place(path)} has no doc.", ADD_DOC)


def _money(field: Field, path: str, records: tuple[Node, ...]) -> Iterator[LintFinding]:
    types = list(_value_types(field.node))
    around = (other.name for record in records for other in record.fields)
    if (
        any(_holds_money(field.name, node) for node in types)
        and "currency" not in field.properties
        and not any("currency" in words_of(name) for name in around)
    ):
        problem = f"{place(path)} is money without a currency."
        fix = (
            "Add a field `currency` beside it, or where the currency never changes the property "
            '"currency": "EUR" on the field.'
        )
        yield LintFinding("money-without-currency", ERROR, path, problem, fix)
    floats = [node.kind for node in types if node.kind in {"float", "double"}]
    if floats and speaks_of_money(field.name):
        # Binary fractions have no exact 0.10.
        problem = f"{place(path)} is money as {floats[0]}, which can't hold cents exactly."
        yield LintFinding("money-as-floating-point", ERROR, path, problem, "Make it a decimal.")


def _field_name(field: Field, path: str) -> Iterator[LintFinding]:
    types = _value_types(field.node)
    if (
        speaks_of_people(field.name)
        and "pii" not in field.properties
        and any(node.kind in TELLING or node.form == "date" for node in types)
    ):
        # Whoever erases or masks personal data has to find it in the schema.
        problem = f"{place(path)} looks like personal data."
        fix = 'Add the property "pii": true to the field, or "pii": false if it is not personal.'
        yield LintFinding("personal-data-without-pii", ERROR, path, problem, fix)
    if not FIELD_NAME.fullmatch(field.name):
        problem = f"The field {place(path)} is not in lowerCamelCase."
        yield LintFinding("name-against-convention", WARNING, path, problem, RENAME)


def _value_types(node: Node) -> Iterator[Node]:
    """The types that a field's values have: branches of unions, elements of arrays and maps."""
    if node.kind not in {"union", "array", "map"}:
        yield node
        return
    for part in node.parts:
        yield from _value_types(part)


def _holds_money(name: str, node: Node) -> bool:
    if node.form in {"decimal", "float", "double"}:
        return speaks_of_money(name)
    return node.form in {"int", "long"} and speaks_of_money(name, whole=True)
