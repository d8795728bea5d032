"""The difference of two schemas: each kind of change, its path, both sides and its sentence."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import CatalogInvalid
from relay.schema.checks.change import Change, Effect, Kind
from relay.schema.checks.diff import diff
from tests.unit.avro_cases import schemas
from tests.unit.review_schemas import decimal, enum, record, timestamp


def only(old: Any, new: Any) -> Change:
    changes = diff(old, new)
    assert len(changes) == 1, changes
    return changes[0]


def sides(change: Change) -> tuple[str, Kind, Any, Any]:
    return change.path, change.kind, change.before, change.after


def types(old: Any, new: Any) -> Change:
    """The change of a field `x` from one type to another."""
    return only(record(("x", old)), record(("x", new)))


@given(schemas())
def test_a_schema_does_not_differ_from_itself(schema: Any) -> None:
    assert diff(schema, schema) == []


@given(schemas(), schemas())
def test_two_schemas_differ_in_both_directions_or_in_none(one: Any, other: Any) -> None:
    assert bool(diff(one, other)) == bool(diff(other, one))


@given(schemas(), st.sampled_from(["int", "string", {"type": "array", "items": "long"}]))
def test_a_field_more_is_an_added_one_and_the_other_way_a_removed_one(kept: Any, more: Any) -> None:
    small, large = record(("kept", kept)), record(("kept", kept), ("more", more))

    added, removed = only(small, large), only(large, small)

    assert (added.kind, removed.kind) == (Kind.FIELD_ADDED, Kind.FIELD_REMOVED)
    assert added.path == removed.path == "$.more"
    assert added.after == removed.before


def test_the_same_schema_written_differently_is_not_a_change() -> None:
    short = {"type": "record", "name": "a.b.Paid", "fields": [{"name": "x", "type": "int"}]}
    long = record(
        {"name": "x", "type": {"type": "int"}, "order": "ascending"}, name="Paid", namespace="a.b"
    )

    assert diff(short, long) == []


def test_an_added_field_shows_its_type_and_default() -> None:
    change = only(record(), record(("fee", ["null", decimal(12, 2)], None)))

    assert sides(change) == (
        "$.fee",
        Kind.FIELD_ADDED,
        None,
        {"name": "fee", "type": "decimal(12, 2) or null", "default": None},
    )
    assert change.sentence == "`fee` is new: decimal(12, 2) or null, default null."


def test_a_removed_field_shows_what_it_was() -> None:
    change = only(record(("fee", "int")), record())

    assert sides(change) == ("$.fee", Kind.FIELD_REMOVED, {"name": "fee", "type": "int"}, None)
    assert change.sentence == "`fee` is gone; it was int, no default."


def test_a_field_with_an_alias_is_renamed_and_compared_further() -> None:
    new = record({"name": "fee", "type": "long", "aliases": ["charge"]})

    renamed, promoted = diff(record(("charge", "int")), new)

    assert sides(renamed) == ("$.fee", Kind.FIELD_RENAMED, "charge", "fee")
    assert (promoted.path, promoted.kind) == ("$.fee", Kind.TYPE_PROMOTED)


def test_a_field_without_an_alias_is_gone_and_another_is_new() -> None:
    changes = diff(record(("charge", "int")), record(("fee", "int")))

    assert [change.kind for change in changes] == [Kind.FIELD_REMOVED, Kind.FIELD_ADDED]


def test_a_name_that_is_still_there_is_not_taken_by_another_fields_alias() -> None:
    old = record(("a", "int"))
    new = record(("a", "int"), {"name": "b", "type": "int", "aliases": ["a"]})

    assert only(old, new).kind is Kind.FIELD_ADDED


def test_fields_in_another_order_are_one_change() -> None:
    change = only(record(("a", "int"), ("b", "int")), record(("b", "int"), ("a", "int")))

    assert sides(change) == ("$", Kind.FIELDS_REORDERED, ["a", "b"], ["b", "a"])


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        (("x", "int"), ("x", "int", 1), Kind.DEFAULT_ADDED),
        (("x", "int", 1), ("x", "int", 2), Kind.DEFAULT_CHANGED),
        (("x", "int", 1), ("x", "int"), Kind.DEFAULT_REMOVED),
        (("x", ["null", "int"]), ("x", ["null", "int"], None), Kind.DEFAULT_ADDED),
        (("x", "double", 0), ("x", "double", False), Kind.DEFAULT_CHANGED),
    ],
)
def test_a_default_comes_changes_and_goes(old: Any, new: Any, kind: Kind) -> None:
    change = only(record(old), record(new))

    assert (change.path, change.kind) == ("$.x", kind)


def test_a_promotion_names_both_types_and_who_can_read_it() -> None:
    change = types("int", "long")

    assert sides(change) == ("$.x", Kind.TYPE_PROMOTED, "int", "long")
    assert "readers of the old one can't go back" in change.sentence
    assert "one into the other" in types("string", "bytes").sentence


def test_defaults_are_compared_as_json_however_long_they_are() -> None:
    texts, numbers = {"type": "map", "values": "string"}, {"type": "array", "items": "double"}
    long = [0.5] * 60

    one, other = {"a": "", "b": ""}, {"b": "", "a": ""}
    assert diff(record(("x", texts, one)), record(("x", texts, other))) == []
    change = only(record(("x", numbers, [*long, 1.0])), record(("x", numbers, [*long, 1])))
    assert change.kind is Kind.DEFAULT_CHANGED


def test_an_attribute_that_python_takes_for_the_same_is_another() -> None:
    change = only(
        record({"name": "x", "type": "string", "pii": True}),
        record({"name": "x", "type": "string", "pii": 1}),
    )

    assert sides(change) == ("$.x", Kind.PROPERTY_CHANGED, {"pii": True}, {"pii": 1})


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (decimal(9, 2), "decimal(9, 2)"),
        ({"type": "string", "logicalType": "uuid"}, "uuid"),
    ],
)
def test_a_type_that_becomes_a_fixed_is_described_as_a_fixed(of: Any, words: str) -> None:
    change = types(of, {**of, "type": "fixed", "name": "Sixteen", "size": 16})

    assert sides(change) == ("$.x", Kind.TYPE_CHANGED, words, f"{words} in a fixed of 16 bytes")


@pytest.mark.parametrize(("old", "new"), [("long", "int"), ("string", "int"), ("bytes", "boolean")])
def test_a_type_that_is_not_promoted_has_changed(old: str, new: str) -> None:
    assert sides(types(old, new)) == ("$.x", Kind.TYPE_CHANGED, old, new)


@pytest.mark.parametrize(
    ("old", "new", "before", "after"),
    [
        ("long", timestamp("millis"), None, "timestamp-millis"),
        (timestamp("millis"), timestamp("micros"), "timestamp-millis", "timestamp-micros"),
        (timestamp("micros"), "long", "timestamp-micros", None),
        ("bytes", decimal(9, 2), None, "decimal"),
    ],
)
def test_a_logical_type_comes_changes_and_goes(old: Any, new: Any, before: Any, after: Any) -> None:
    assert sides(types(old, new)) == ("$.x", Kind.LOGICAL_TYPE_CHANGED, before, after)


def test_a_logical_type_can_change_along_with_a_promotion() -> None:
    old = {"type": "int", "logicalType": "time-millis"}
    new = {"type": "long", "logicalType": "time-micros"}

    changes = diff(record(("x", old)), record(("x", new)))

    assert [c.kind for c in changes] == [Kind.TYPE_PROMOTED, Kind.LOGICAL_TYPE_CHANGED]


def test_a_decimal_with_another_scale_is_reported_as_another_number() -> None:
    change = types(decimal(12, 2), decimal(12, 4))

    assert change.kind is Kind.DECIMAL_CHANGED
    assert change.before == {"precision": 12, "scale": 2}
    assert change.after == {"precision": 12, "scale": 4}
    assert "4 decimal places instead of 2" in change.sentence
    assert "another number" in change.sentence
    assert "another number" not in types(decimal(12, 2), decimal(14, 2)).sentence


def test_a_fixed_can_have_another_size() -> None:
    old, new = ({"type": "fixed", "name": "Digest", "size": size} for size in (8, 16))

    assert sides(types(old, new)) == ("$.x", Kind.SIZE_CHANGED, 8, 16)


def test_symbols_come_and_go_and_say_what_readers_make_of_them() -> None:
    removed, added = diff(
        record(("x", enum("DHL", "UPS"))), record(("x", enum("DHL", "DPD", "OTHER")))
    )[:2]

    assert sides(removed) == ("$.x", Kind.SYMBOL_REMOVED, "UPS", None)
    assert "can't read it" in removed.sentence
    assert sides(added) == ("$.x", Kind.SYMBOL_ADDED, None, "DPD")
    assert "readers of the old version can't read it" in added.sentence


def test_a_removed_symbol_is_read_as_the_default() -> None:
    change = types(enum("DHL", "UPS", default="DHL"), enum("DHL", default="DHL"))

    assert change.sentence == (
        "`x` can't be UPS any more; readers of the new version take it for DHL."
    )


def test_symbols_in_another_order_are_one_change() -> None:
    assert sides(types(enum("A", "B"), enum("B", "A"))) == (
        "$.x", Kind.SYMBOLS_REORDERED, ["A", "B"], ["B", "A"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (None, "A", Kind.ENUM_DEFAULT_ADDED),
        ("A", "B", Kind.ENUM_DEFAULT_CHANGED),
        ("A", None, Kind.ENUM_DEFAULT_REMOVED),
    ],
)
def test_an_enums_default_comes_changes_and_goes(before: Any, after: Any, kind: Kind) -> None:
    change = types(enum("A", "B", default=before), enum("A", "B", default=after))

    assert sides(change) == ("$.x", kind, before, after)


def test_branches_come_and_go() -> None:
    assert sides(types(["null", "int"], ["null", "int", "string"])) == (
        "$.x", Kind.BRANCH_ADDED, None, "string",
    )  # fmt: skip
    assert sides(types(["null", "int", "string"], ["null", "int"])) == (
        "$.x", Kind.BRANCH_REMOVED, "string", None,
    )  # fmt: skip


def test_what_becomes_optional_may_be_null_and_back() -> None:
    assert types("string", ["null", "string"]).sentence == "`x` may be null now."
    assert types(["null", "string"], "string").sentence == "`x` can't be null any more."


def test_a_promotion_inside_a_union_is_a_promotion() -> None:
    assert sides(types(["null", "int"], ["null", "long"])) == (
        "$.x", Kind.TYPE_PROMOTED, "int", "long",
    )  # fmt: skip


def test_the_only_branch_that_differs_has_changed_its_type() -> None:
    assert sides(types(["null", "string"], ["null", "boolean"])) == (
        "$.x", Kind.TYPE_CHANGED, "string", "boolean",
    )  # fmt: skip


def test_branches_in_another_order_are_one_change() -> None:
    change = types(["null", "int"], ["int", "null"])

    assert sides(change) == ("$.x", Kind.BRANCHES_REORDERED, ["null", "int"], ["int", "null"])


def test_a_union_of_one_is_not_the_type_itself() -> None:
    assert types("int", ["int"]).kind is Kind.UNION_CHANGED


def test_docs_of_fields_and_types_change() -> None:
    old = record({"name": "x", "type": "int", "doc": "old"}, doc="Paid.")
    new = record({"name": "x", "type": "int", "doc": "new"})

    of_type, of_field = diff(old, new)

    assert sides(of_type) == ("$", Kind.DOC_CHANGED, "Paid.", None)
    assert sides(of_field) == ("$.x", Kind.DOC_CHANGED, "old", "new")
    assert of_field.sentence == 'The doc of `x` is "new" instead of "old".'


def test_aliases_sort_order_and_properties_change() -> None:
    old = record({"name": "x", "type": "int", "pii": True})
    new = record({"name": "x", "type": "int", "aliases": ["y"], "order": "ignore"})

    aliases, order, pii = diff(old, new)

    assert sides(aliases) == ("$.x", Kind.ALIASES_CHANGED, [], ["y"])
    assert sides(order) == ("$.x", Kind.SORT_ORDER_CHANGED, "ascending", "ignore")
    assert sides(pii) == ("$.x", Kind.PROPERTY_CHANGED, {"pii": True}, None)


def test_a_type_is_renamed_by_an_alias_or_has_another_name() -> None:
    renamed = only(record(), record(name="OrderSettled", aliases=["OrderPaid"]))
    changed = only(record(), record(name="OrderSettled"))

    assert sides(renamed) == ("$", Kind.TYPE_RENAMED, "shop.OrderPaid", "shop.OrderSettled")
    assert changed.kind is Kind.NAME_CHANGED
    assert "it has no alias" in changed.sentence


def test_a_namespace_that_types_inside_share_is_reported_once() -> None:
    old = record(("x", enum("A")), namespace="shop")
    new = record(("x", enum("A")), namespace="store")

    assert sides(only(old, new)) == ("$", Kind.NAMESPACE_CHANGED, "shop", "store")


def test_paths_lead_through_arrays_maps_and_unions() -> None:
    def nested(leaf: str) -> Any:
        line = record(("sku", leaf), name="Line")
        lines = {"type": "array", "items": {"type": "map", "values": ["null", line]}}
        return record(("lines", lines))

    assert only(nested("int"), nested("long")).path == "$.lines[*].*.sku"


def test_a_type_that_is_used_twice_is_compared_once() -> None:
    old = record(("a", enum("A")), ("b", "Carrier"))
    new = record(("a", enum("A", "B")), ("b", "Carrier"))

    assert only(old, new).path == "$.a"


def test_recursive_types_are_compared_to_the_end() -> None:
    def tree(weight: str) -> Any:
        children = {"type": "array", "items": "Tree"}
        return record(("children", children), ("weight", weight), name="Tree")

    assert only(tree("int"), tree("long")).path == "$.weight"


def test_an_invalid_schema_is_refused() -> None:
    with pytest.raises(CatalogInvalid, match="is not known"):
        diff("nothing", "int")


def test_kinds_have_an_effect() -> None:
    assert Kind.FIELD_ADDED.effect is Effect.ADDED
    assert Kind.ENUM_DEFAULT_REMOVED.effect is Effect.REMOVED
    assert Kind.TYPE_PROMOTED.effect is Effect.CHANGED
