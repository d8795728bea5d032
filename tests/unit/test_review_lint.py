"""Lint of one schema and of two versions: every rule finds its case and ignores the other."""

from __future__ import annotations

from typing import Any

import pytest

from relay.schema.catalog import Catalog
from relay.schema.checks.finding import LintFinding, Severity
from relay.schema.checks.lint_schema import lint
from relay.schema.checks.lint_versions import lint_versions
from tests.unit.review_schemas import decimal, enum, record, timestamp
from tests.unit.test_catalog import SHIPPED


def documented(schema: Any) -> Any:
    """The schema with a doc on every field, record and enum."""
    if isinstance(schema, list):
        return [documented(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {
        key: documented(part) if key in {"type", "items", "values"} else part
        for key, part in schema.items()
    }
    if "fields" in schema:
        copy["fields"] = [{"doc": "Said.", **documented(field)} for field in schema["fields"]]
    if schema.get("type") in ("record", "enum"):
        copy.setdefault("doc", "Said.")
    return copy


def found(*fields: Any, **more: Any) -> list[LintFinding]:
    return lint(documented(record(*fields, **more)))


def rules(*fields: Any, **more: Any) -> list[str]:
    return [finding.rule for finding in found(*fields, **more)]


def between(old: Any, new: Any) -> list[str]:
    """Rules that the change of a field `x` from one type to another breaks."""
    return [f.rule for f in lint_versions(record(("x", old)), record(("x", new)))]


def test_the_projects_own_catalog_has_no_findings() -> None:
    assert {v.path.name: lint(v.avsc) for v in Catalog.load(SHIPPED).versions()} == {
        v.path.name: [] for v in Catalog.load(SHIPPED).versions()
    }


def test_a_finding_names_the_place_the_problem_and_what_to_do() -> None:
    (finding,) = found(
        ("lines", {"type": "array", "items": record(("price", decimal(9, 2)), name="Line")})
    )

    assert finding.rule == "money-without-currency"
    assert finding.severity is Severity.ERROR
    assert finding.path == "$.lines[*].price"
    assert finding.problem == "`lines[*].price` is money without a currency."
    assert finding.fix.startswith("Add a field `currency`")


def test_an_enum_needs_a_default() -> None:
    assert rules(("x", enum("A", "B"))) == ["enum-without-default"]
    assert rules(("x", enum("A", "B", default="A"))) == []


def test_an_enum_that_is_used_twice_is_found_once() -> None:
    assert rules(("x", enum("A")), ("y", "Carrier")) == ["enum-without-default"]


def test_a_null_default_wants_null_first() -> None:
    assert rules(("x", ["string", "null"], None)) == ["null-default-not-first"]
    assert rules(("x", ["null", "string"], None)) == []
    assert rules(("x", ["string", "null"], "a")) == []
    assert rules(("x", ["string", "null"])) == []


def test_fields_records_and_enums_need_a_doc() -> None:
    bare = record(("x", enum("A", default="A")))
    blank = documented(record({"name": "x", "type": "int", "doc": "  "}))

    assert [(f.rule, f.path) for f in lint(bare)] == [
        ("missing-doc", "$"),
        ("missing-doc", "$.x"),
        ("missing-doc", "$.x"),
    ]
    assert [f.rule for f in lint(blank)] == ["missing-doc"]
    assert lint(documented(bare)) == []


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("amount", decimal(12, 2)),
        ("unitPrice", ["null", decimal(12, 2)]),
        ("amountDue", decimal(12, 2)),
        ("shippingFees", {"type": "array", "items": decimal(12, 2)}),
        ("prices", {"type": "map", "values": decimal(12, 2)}),
        ("taxes", ["null", {"type": "array", "items": decimal(12, 2)}]),
        ("salaries", {"type": "array", "items": decimal(12, 2)}),
        ("total", "long"),
        ("feeCents", "int"),
        ("amountInCents", "long"),
    ],
)
def test_money_needs_a_currency(name: str, of: Any) -> None:
    assert rules((name, of)) == ["money-without-currency"]
    assert rules((name, of), ("currency", "string")) == []
    assert rules((name, of), ("currencyCode", "string")) == []
    assert rules({"name": name, "type": of, "currency": "EUR"}) == []


def test_the_currency_may_stand_around_the_record() -> None:
    lines = {"type": "array", "items": record(("price", decimal(9, 2)), name="Line")}

    assert rules(("lines", lines), ("currency", "string")) == []


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("taxRate", decimal(5, 4)),
        ("quantity", decimal(12, 3)),
        ("totalItems", "int"),
        ("totalSeen", "long"),
        ("payments", "int"),
        ("paymentId", "long"),
        ("pricedAt", timestamp("micros")),
        ("amount", "string"),
    ],
)
def test_ratios_counts_and_ids_are_not_money(name: str, of: Any) -> None:
    assert rules((name, of)) == []


def test_money_is_not_a_floating_point_number() -> None:
    found_rules = rules(("amount", ["null", "double"]), ("currency", "string"))

    assert found_rules == ["money-as-floating-point"]
    assert "money-as-floating-point" in rules(("prices", {"type": "array", "items": "float"}))
    assert rules(("ratio", "double")) == []


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("email", "string"),
        ("customerEmail", ["null", "string"]),
        ("phoneNumber", "string"),
        ("name", "string"),
        ("firstName", "string"),
        ("ipAddress", "bytes"),
        ("birthDate", {"type": "int", "logicalType": "date"}),
        ("addresses", {"type": "array", "items": "string"}),
        ("recipients", {"type": "array", "items": "string"}),
        ("phones", {"type": "map", "values": "string"}),
        ("shippingAddress", record(("line", "string"), name="Address")),
        ("receivedBy", "string"),
    ],
)
def test_personal_data_is_marked(name: str, of: Any) -> None:
    assert rules((name, of)) == ["personal-data-without-pii"]
    assert rules({"name": name, "type": of, "pii": True}) == []
    assert rules({"name": name, "type": of, "pii": False}) == []


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("productName", "string"),
        ("fileName", "string"),
        ("addressId", "string"),
        ("emailCount", "int"),
        ("emailVerified", "boolean"),
        ("shipment", "string"),
        ("dueBy", timestamp("micros")),
    ],
)
def test_names_of_things_counts_and_flags_are_not_personal_data(name: str, of: Any) -> None:
    assert rules((name, of)) == []


@pytest.mark.parametrize("name", ["order_id", "OrderId", "_x"])
def test_fields_are_in_lower_camel_case(name: str) -> None:
    assert rules((name, "int")) == ["name-against-convention"]
    assert rules(("orderId2", "int")) == []


def test_types_are_in_camel_case() -> None:
    assert rules(name="order_paid") == ["name-against-convention"]
    assert rules(name="orderPaid") == ["name-against-convention"]
    assert rules(name="OrderPaidV2") == []


def test_symbols_are_in_upper_snake_case() -> None:
    (finding,) = found(("x", enum("CARD", "bank_transfer", "Wallet", default="CARD")))

    assert finding.rule == "symbol-against-convention"
    assert "bank_transfer, Wallet" in finding.problem
    assert rules(("x", enum("BANK_TRANSFER", "A2", default="A2"))) == []


@pytest.mark.parametrize(
    ("of", "words"),
    [
        ({"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 3}, "decimal(2, 3)"),
        ({"type": "bytes", "logicalType": "decimal"}, "Use a precision above 0"),
        (
            {**decimal(9, 2), "type": "fixed", "name": "F", "size": 2},
            "2 bytes hold 4 digits, not 9",
        ),
        ({"type": "fixed", "name": "F", "size": 12, "logicalType": "duration"}, "duration"),
        ({"type": "long", "logicalType": "timestamp-milis"}, "timestamp-milis"),
        ({"type": "string", "logicalType": "timestamp-millis"}, "they take string"),
    ],
)
def test_a_logical_type_that_readers_ignore_is_found(of: Any, words: str) -> None:
    [found] = [f for f in lint(record(("x", of))) if f.rule == "logical-type-ignored"]

    assert (found.severity, found.path) == (Severity.WARNING, "$.x")
    assert words in f"{found.problem} {found.fix}"


DATE = {"type": "int", "logicalType": "date"}
UUID = {"type": "string", "logicalType": "uuid"}
FIXED = {"type": "fixed", "name": "F", "size": 2}


def line(name: str, *fields: Any) -> Any:
    return record(*fields, name=name)


@pytest.mark.parametrize(
    "types",
    [
        ["string", "bytes"],
        ["string", enum("A")],
        ["string", DATE],
        ["string", timestamp("micros")],
        ["null", "string", decimal(9, 2)],
        ["bytes", FIXED],
        ["bytes", {**decimal(9, 2), "type": "fixed", "name": "D", "size": 8}],
        ["bytes", enum("CARD")],
        [enum("A", "B"), {**enum("B", "C"), "name": "Other"}],
        [FIXED, {**FIXED, "name": "G"}],
        [line("A", ("x", "int", 0)), line("B", ("x", "int", 0))],
        [line("A", ("x", "int")), line("B", ("x", "long"), ("y", "int", 0))],
        [line("A", ("x", ["null", "string"])), line("B", ("x", "bytes"))],
        [line("A", ("x", "int")), {"type": "map", "values": "long"}],
        [line("A"), {"type": "map", "values": "string"}],
    ],
)
def test_types_of_a_union_that_a_value_may_fit_both_of_are_found(types: list[Any]) -> None:
    found = [f for f in lint(record(("x", types))) if f.rule == "ambiguous-union"]

    assert [(f.severity, f.path) for f in found] == [(Severity.ERROR, "$.x")]


@pytest.mark.parametrize(
    "types",
    [
        ["null", "string", "int", "boolean"],
        ["int", "long", "float", "double"],
        ["int", timestamp("millis")],
        ["bytes", DATE],
        ["bytes", timestamp("millis"), UUID],
        ["bytes", enum("A_B", "C")],
        [DATE, timestamp("millis"), UUID, decimal(9, 2), enum("A")],
        [FIXED, {**FIXED, "name": "G", "size": 3}],
        [enum("A"), {**enum("B"), "name": "Other"}],
        [line("A", ("x", "int")), line("B", ("y", "int"))],
        [line("A", ("x", "int")), line("B", ("x", "string"))],
        [line("A", ("x", "int")), {"type": "map", "values": "string"}],
        [line("A", ("x", "int")), {"type": "array", "items": "string"}],
        [line("A", ("a", "shop.A")), line("B", ("a", "shop.B"))],
    ],
)
def test_types_of_a_union_that_no_value_fits_both_of_are_in_order(types: list[Any]) -> None:
    assert "ambiguous-union" not in [f.rule for f in lint(record(("x", types)))]


def test_an_alias_that_is_the_name_of_something_else_is_found() -> None:
    item = line("Item", ("n", "int"))
    money = {**line("Money", ("n", "int")), "aliases": ["Item"]}
    total = {"name": "total", "type": "int", "aliases": ["sum"]}

    for schema, taken in (
        (record(("a", item), ("b", money)), "shop.Item"),
        (record(("sum", "int", 0), total), "sum"),
    ):
        [finding] = [f for f in lint(schema) if f.rule == "alias-taken"]
        assert finding.severity is Severity.ERROR
        assert f": {taken}." in finding.problem
    assert "alias-taken" not in [f.rule for f in lint(record(total, ("a", money)))]


def test_what_only_javas_parser_takes_is_found() -> None:
    fixed = {"type": "fixed", "name": "F", "size": 2}
    enum = {"type": "enum", "name": "E", "symbols": ["A"], "doc": "d", "default": "A"}
    for schema in (
        record(("x", "F"), ("y", fixed)),
        record(("x", fixed), ("y", fixed)),
        record(("x", enum, "B")),
        record(("größe", "int")),
    ):
        found = [f for f in lint(schema) if f.rule == "against-specification"]
        assert [f.severity for f in found] == [Severity.ERROR]
        assert "$.fields" in found[0].problem


def test_another_scale_or_precision_of_a_decimal_is_found() -> None:
    assert between(decimal(12, 2), decimal(12, 4)) == ["decimal-scale"]
    assert between(decimal(12, 2), decimal(10, 2)) == ["decimal-precision-lowered"]
    assert between(decimal(12, 2), decimal(14, 2)) == ["decimal-precision-raised"]
    assert between(decimal(12, 2), decimal(12, 2)) == []


@pytest.mark.parametrize(("old", "new"), [("millis", "micros"), ("micros", "millis")])
def test_another_unit_of_time_is_found(old: str, new: str) -> None:
    assert between(timestamp(old), timestamp(new)) == ["time-unit"]
    assert between(["null", timestamp(old)], ["null", timestamp(new)]) == ["time-unit"]


def test_another_logical_type_is_found() -> None:
    assert between("long", timestamp("millis")) == ["logical-type"]
    uuid = {"type": "string", "logicalType": "uuid"}
    assert between(uuid, "string") == between("string", uuid) == ["logical-type"]
    severities = [
        lint_versions(record(("x", old)), record(("x", new)))[0].severity
        for old, new in ((uuid, "string"), ("string", uuid), (timestamp("millis"), "long"))
    ]
    assert severities == [Severity.WARNING, Severity.ERROR, Severity.ERROR]
    assert between(timestamp("millis"), timestamp("millis")) == []


def test_another_namespace_is_found() -> None:
    old, new = record(namespace="shop"), record(namespace="store")

    assert [f.rule for f in lint_versions(old, new)] == ["namespace"]
    assert lint_versions(old, old) == []


def test_an_enum_that_loses_its_default_is_found() -> None:
    with_default, without = enum("A", "B", default="A"), enum("A", "B")

    assert between(with_default, without) == ["enum-default-removed"]
    assert between(without, with_default) == []


def test_another_default_is_found() -> None:
    old, new = record(("x", "int", 1)), record(("x", "int", 2))

    assert [f.rule for f in lint_versions(old, new)] == ["default-changed"]
    assert between(enum("A", "B", default="A"), enum("A", "B", default="B")) == ["default-changed"]
    assert lint_versions(record(("x", "int")), new) == []


def test_a_rename_without_an_alias_is_found() -> None:
    old = record(("charge", decimal(9, 2)))
    renamed = record(("fee", decimal(9, 2)))
    aliased = record({"name": "fee", "type": decimal(9, 2), "aliases": ["charge"]})
    other = record(("fee", "string"))

    (finding,) = lint_versions(old, renamed)

    assert (finding.rule, finding.path) == ("alias-missing", "$.fee")
    assert '"aliases": ["charge"]' in finding.fix
    assert lint_versions(old, aliased) == []
    assert lint_versions(old, other) == []


def test_a_field_removed_from_another_record_is_not_a_rename() -> None:
    def order(line: Any, **at_top: Any) -> Any:
        return record(("line", record(*line, name="Line")), *at_top.items())

    assert lint_versions(order([("a", "int")]), order([], b="int")) == []


def test_a_type_with_another_name_and_no_alias_is_found() -> None:
    aliased = record(name="OrderSettled", aliases=["OrderPaid"])

    assert [f.rule for f in lint_versions(record(), record(name="Settled"))] == ["alias-missing"]
    assert lint_versions(record(), aliased) == []


def test_a_promotion_that_rounds_is_found() -> None:
    assert between("long", "double") == ["inexact-promotion"]
    assert between("int", "float") == ["inexact-promotion"]
    assert between("int", "double") == []
    assert between("int", "long") == []


def test_a_lost_mark_of_personal_data_is_found() -> None:
    marked = record({"name": "x", "type": "string", "pii": True})
    answered = record({"name": "x", "type": "string", "pii": False})

    assert [f.rule for f in lint_versions(marked, record(("x", "string")))] == ["pii-removed"]
    assert [f.rule for f in lint_versions(marked, answered)] == ["pii-removed"]
    assert lint_versions(answered, record(("x", "string"))) == []
    assert lint_versions(answered, marked) == []
