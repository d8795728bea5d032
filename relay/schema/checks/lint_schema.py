"""Rules on one schema. A rule is a function from a place to its objection, and a line of RULES."""

from __future__ import annotations

import re

from relay.schema.avro.names import short_name
from relay.schema.avro.nodes import Field, Node
from relay.schema.checks.finding import Objection, Rule, Severity
from relay.schema.checks.places import Place, held_types
from relay.schema.checks.vocabulary import speaks_of_money, speaks_of_people, words_of
from relay.schema.checks.words import listed, place, type_words

__all__ = ["RULES"]

TYPE_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
FIELD_NAME = re.compile(r"[a-z][A-Za-z0-9]*")
SYMBOL = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")
# Values of these types can hold what is about a person; a flag or a count is not.
TELLING = frozenset({"string", "bytes", "fixed", "record"})


def enum_without_default(at: Place) -> Objection | None:
    """Source: Avro 1.12 specification, "Enums" and "Schema Resolution"."""
    node = at.node
    if at.field is not None or node.kind != "enum" or node.default_symbol is not None:
        return None
    return Objection(
        f"The enum {short_name(node.name)} has no default, so readers of today fail on every "
        "symbol that is added later.",
        "Add a symbol such as OTHER and make it the enum's default.",
    )


def null_default_not_first(at: Place) -> Objection | None:
    """Until Avro 1.12 a default belongs to a union's first branch, and many clients hold to it."""
    field = at.field
    if field is None or field.default is not None or at.node.kind != "union":
        return None
    if at.node.branches[0].kind == "null":
        return None
    return Objection(
        f"{place(at.path)} has the default null, but {type_words(at.node.branches[0])} comes first "
        "in its union; clients that take a default for the first branch refuse the schema.",
        "Put null first in the union.",
    )


def missing_doc(at: Place) -> Objection | None:
    """A field, a record or an enum that nobody explained."""
    if at.field is not None:
        if at.field.doc.strip():
            return None
        what = place(at.path)
    elif at.node.kind in {"record", "enum"} and not at.node.doc.strip():
        what = f"The {type_words(at.node)}"
    else:
        return None
    return Objection(
        f"{what} has no doc.",
        "Say in one sentence what it means, in which unit, and when it is null or empty.",
    )


def money_without_currency(at: Place) -> Objection | None:
    """An amount needs a currency beside it, or around its record, or fixed by a property."""
    if at.field is None or not _is_money(at.field) or "currency" in at.field.properties:
        return None
    for record in at.records:
        if any("currency" in words_of(field.name) for field in record.fields):
            return None
    return Objection(
        f"{place(at.path)} is money of no currency.",
        "Add a field `currency` beside it, or where the currency never changes the property "
        '"currency": "EUR" on the field.',
    )


def money_as_floating_point(at: Place) -> Objection | None:
    """Binary fractions have no exact 0.10."""
    if at.field is None or not speaks_of_money(at.field.name):
        return None
    found = next((n for n in held_types(at.node) if n.kind in {"float", "double"}), None)
    if found is None:
        return None
    return Objection(
        f"{place(at.path)} is money as {found.kind}, which can't hold cents exactly.",
        "Make it a decimal.",
    )


def personal_data_without_pii(at: Place) -> Objection | None:
    """Whoever erases or masks personal data has to find it in the schema."""
    field = at.field
    if field is None or "pii" in field.properties or not speaks_of_people(field.name):
        return None
    if not any(node.kind in TELLING or node.form == "date" for node in held_types(field.node)):
        return None
    return Objection(
        f"{place(at.path)} looks like personal data.",
        'Add the property "pii": true to the field, or "pii": false if it is none.',
    )


def name_against_convention(at: Place) -> Objection | None:
    """Records, enums and fixed are CamelCase, fields lowerCamelCase, symbols UPPER_SNAKE."""
    if at.field is not None:
        if FIELD_NAME.fullmatch(at.field.name):
            return None
        return Objection(
            f"The field {place(at.path)} is not in lowerCamelCase.",
            "Rename it; where events of it exist, keep the old name as an alias.",
        )
    if at.node.name and not TYPE_NAME.fullmatch(short_name(at.node.name)):
        return Objection(
            f"The {at.node.kind} {short_name(at.node.name)} is not in CamelCase.",
            "Rename it; where events of it exist, keep the old name as an alias.",
        )
    return None


def symbol_against_convention(at: Place) -> Objection | None:
    """An enum has no aliases for symbols, so a wrong one stays forever."""
    if at.field is not None or at.node.kind != "enum":
        return None
    wrong = [symbol for symbol in at.node.symbols if not SYMBOL.fullmatch(symbol)]
    if not wrong:
        return None
    return Objection(
        f"Symbols of the enum {short_name(at.node.name)} are not in UPPER_SNAKE: {listed(wrong)}.",
        "Rename them before the first event; symbols have no aliases.",
    )


def _is_money(field: Field) -> bool:
    return any(_holds_money(field.name, node) for node in held_types(field.node))


def _holds_money(name: str, node: Node) -> bool:
    if node.form in {"decimal", "float", "double"}:
        return speaks_of_money(name)
    return node.form in {"int", "long"} and speaks_of_money(name, whole=True)


RULES: tuple[Rule[Place], ...] = (
    Rule("enum-without-default", Severity.WARNING, enum_without_default),
    Rule("null-default-not-first", Severity.ERROR, null_default_not_first),
    Rule("missing-doc", Severity.WARNING, missing_doc),
    Rule("money-without-currency", Severity.ERROR, money_without_currency),
    Rule("money-as-floating-point", Severity.ERROR, money_as_floating_point),
    Rule("personal-data-without-pii", Severity.ERROR, personal_data_without_pii),
    Rule("name-against-convention", Severity.WARNING, name_against_convention),
    Rule("symbol-against-convention", Severity.WARNING, symbol_against_convention),
)
