"""The probe: values that the reader does not get are reported with value, place and direction."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings

from relay.errors import CatalogInvalid
from relay.schema.avro.parse import read_schema
from relay.schema.catalog import Catalog
from relay.schema.checks.probe import Direction, ProbeFailure, ProbeOutcome, probe
from relay.schema.checks.samples import Branch, samples
from tests.unit.avro_cases import schemas
from tests.unit.review_schemas import decimal, enum, record, timestamp
from tests.unit.test_catalog import SHIPPED

UNITS = ("millis", "micros", "nanos")
PROMOTIONS = ("int long", "int double", "float double")
ROUNDING = ("int float", "long float", "long double")


def types(old: Any, new: Any) -> list[ProbeFailure]:
    return probe(record(("x", old)), record(("x", new)))


def only(failures: list[ProbeFailure]) -> ProbeFailure:
    assert len(failures) == 1, failures
    return failures[0]


@settings(max_examples=200)
@given(schemas())
def test_a_schema_reads_all_of_its_own_values(schema: Any) -> None:
    assert probe(schema, schema) == []


def test_the_catalogs_schemas_read_their_own_values() -> None:
    for version in Catalog.load(SHIPPED).versions():
        assert probe(version.avsc, version.avsc) == []


def test_a_field_that_is_gone_without_a_default_is_missed_by_old_readers() -> None:
    failure = only(probe(record(("x", "int"), ("fee", "int")), record(("x", "int"))))

    assert failure.direction is Direction.FORWARD
    assert (failure.outcome, failure.path) == (ProbeOutcome.UNREADABLE, "$.fee")
    assert "no default" in failure.problem
    assert failure.payload == '{"x": 0}'


def test_a_field_that_is_gone_with_a_default_is_missed_by_nobody() -> None:
    assert probe(record(("x", "int"), ("fee", "int", 0)), record(("x", "int"))) == []


def test_a_default_that_does_not_fit_its_type_is_found() -> None:
    failures = probe(record(), record(("fee", "int", "none")))

    assert only(failures).direction is Direction.BACKWARD
    assert 'the default is "none", which is not a value of int' in only(failures).problem


def test_another_scale_reads_as_another_number_in_both_directions() -> None:
    backward, forward = types(decimal(12, 2), decimal(12, 4))

    assert (backward.direction, forward.direction) == (Direction.BACKWARD, Direction.FORWARD)
    assert backward.outcome is forward.outcome is ProbeOutcome.MISREAD
    assert backward.path == "$.x"
    assert backward.value == "12.34"
    assert "read as 0.1234 under decimal(12, 4)" in backward.problem
    assert backward.payload == '{"x": "12.34"}'


def test_fewer_digits_do_not_fit_the_old_numbers() -> None:
    failure = only(types(decimal(6, 2), decimal(4, 2)))

    assert failure.direction is Direction.BACKWARD
    assert failure.value == "9999.99"
    assert "has 6 digits, the reader's decimal holds 4" in failure.problem


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (timestamp("millis"), timestamp("micros")),
        (
            {"type": "int", "logicalType": "time-millis"},
            {"type": "long", "logicalType": "time-micros"},
        ),
        ({"type": "int", "logicalType": "date"}, timestamp("millis")),
    ],
)
def test_another_unit_reads_as_another_time(old: Any, new: Any) -> None:
    backward = [f for f in types(old, new) if f.direction is Direction.BACKWARD]

    assert only(backward).outcome is ProbeOutcome.MISREAD


@pytest.mark.parametrize(
    ("old", "new", "value", "path"),
    [
        ("long", timestamp("millis"), "0", "read as 1970-01-01T00:00:00Z"),
        (timestamp("millis"), "long", "2023-11-14T22:13:20.500Z", "read as 1700000000500 under"),
        ("int", {"type": "int", "logicalType": "date"}, "0", "read as 1970-01-01"),
        ("bytes", decimal(4, 2), "b''", "read as 0.00"),
        (decimal(4, 2), "bytes", "12.34", "read as b'\\x04\\xd2'"),
        ({"type": "int", "logicalType": "date"}, "long", "1970-01-01", "read as 0 under long"),
    ],
)
def test_a_logical_type_on_only_one_side_reads_as_something_else(
    old: Any, new: Any, value: str, path: str
) -> None:
    failure = next(f for f in types(old, new) if f.direction is Direction.BACKWARD)

    assert failure.outcome is ProbeOutcome.MISREAD
    assert failure.value == value
    assert path in failure.problem


def test_text_that_is_no_uuid_can_not_become_one_and_a_uuid_is_text() -> None:
    failure = only(types("string", {"type": "string", "logicalType": "uuid"}))

    assert (failure.direction, failure.outcome) == (Direction.BACKWARD, ProbeOutcome.UNREADABLE)
    assert failure.path == "$.x"


@pytest.mark.parametrize(("old", "new"), [pair.split() for pair in ROUNDING])
def test_a_promotion_that_rounds_reads_as_another_number(old: str, new: str) -> None:
    backward = only([f for f in types(old, new) if f.direction is Direction.BACKWARD])

    assert backward.outcome is ProbeOutcome.MISREAD
    assert backward.path == "$.x"


def test_in_a_union_the_exact_type_comes_before_one_that_it_is_promoted_to() -> None:
    failures = types("long", ["null", "double", "long"])

    assert [f for f in failures if f.direction is Direction.BACKWARD] == []


@pytest.mark.parametrize(("old", "new"), [pair.split() for pair in PROMOTIONS])
def test_a_promotion_can_be_read_and_its_reverse_can_not(old: str, new: str) -> None:
    failure = only(types(old, new))

    assert failure.direction is Direction.FORWARD
    assert failure.problem == f"{new} can't be read as {old}"


def test_bytes_that_are_not_text_can_not_become_a_string() -> None:
    failure = only(types("bytes", "string"))

    assert failure.problem == "these bytes are not UTF-8 text"
    assert failure.direction is Direction.BACKWARD


def test_a_symbol_that_is_gone_fails_unless_there_is_a_default() -> None:
    failure = only(types(enum("A", "B"), enum("A")))

    assert (failure.direction, failure.value) == (Direction.BACKWARD, "B")
    assert failure.problem == "the enum Carrier has no symbol B and no default"
    assert types(enum("A", "B"), enum("A", default="A")) == []


def test_each_symbol_that_is_gone_is_named() -> None:
    assert [f.value for f in types(enum("A", "B", "C"), enum("A"))] == ["B", "C"]


def test_a_branch_that_is_gone_fails_with_its_value() -> None:
    failure = only(types(["null", "int", "string"], ["null", "int"]))

    assert failure.direction is Direction.BACKWARD
    assert failure.problem == "int or null has no branch for string"


def test_what_becomes_optional_fails_old_readers_only_on_null() -> None:
    failure = only(types("int", ["null", "int"]))

    assert (failure.direction, failure.value) == (Direction.FORWARD, "None")


def test_a_fixed_of_another_size_fails_both_ways() -> None:
    old, new = ({"type": "fixed", "name": "Digest", "size": size} for size in (2, 3))

    assert {f.direction for f in types(old, new)} == set(Direction)


def test_a_renamed_field_keeps_its_value_through_its_alias() -> None:
    old = record(("charge", "int"))
    new = record({"name": "fee", "type": "long", "aliases": ["charge"]})

    failures = probe(old, new)

    assert [(f.direction, f.path) for f in failures] == [(Direction.FORWARD, "$.charge")]


def test_misreadings_are_reported_also_where_other_parts_are_unreadable() -> None:
    old = record(("x", decimal(9, 2)), ("gone", "int"))
    new = record(("x", decimal(9, 3)))

    forward = {f.path for f in probe(old, new) if f.direction is Direction.FORWARD}

    assert forward == {"$.x", "$.gone"}


def test_parts_inside_arrays_maps_and_unions_are_found() -> None:
    def nested(scale: int) -> Any:
        line = record(("price", decimal(9, scale)), name="Line")
        return record(
            ("lines", {"type": "array", "items": {"type": "map", "values": ["null", line]}})
        )

    assert {f.path for f in probe(nested(2), nested(3))} == {"$.lines[*].*.price"}


def test_recursive_schemas_are_probed_some_levels_deep() -> None:
    def tree(scale: int) -> Any:
        children = {"type": "array", "items": "Tree"}
        return record(("children", children), ("weight", decimal(9, scale)), name="Tree")

    paths = {f.path for f in probe(tree(2), tree(3))}

    assert "$.weight" in paths
    assert "$.children[*].weight" in paths
    assert max(map(len, paths)) < 60


def test_a_schema_without_finite_values_is_reported_as_not_probed() -> None:
    endless = record(("next", "Endless"), name="Endless")

    assert {f.outcome for f in probe(endless, endless)} == {ProbeOutcome.NOT_PROBED}


def test_a_probe_that_runs_out_of_time_reports_it() -> None:
    failures = probe(record(("x", "int")), record(("x", "int")), seconds=0)

    assert [f.outcome for f in failures] == [ProbeOutcome.NOT_PROBED] * 2
    assert "0 of" in failures[0].problem


def test_deeply_nested_types_end_the_probe_early() -> None:
    inner: Any = "int"
    for level in range(24):
        name = f"Level{level}"
        inner = record(("a", inner), ("b", f"Level{level - 1}" if level else "int"), name=name)

    assert {f.outcome for f in probe(inner, inner)} == {ProbeOutcome.NOT_PROBED}


def test_the_same_seed_makes_the_same_values() -> None:
    node = read_schema(record(("a", "long"), ("b", "string"), ("c", enum("A", "B", "C"))))

    assert samples(node, seed=7, limit=100) == samples(node, seed=7, limit=100)
    assert samples(node, seed=7, limit=100) != samples(node, seed=8, limit=100)


def test_every_edge_branch_and_symbol_is_in_some_value() -> None:
    union = ["null", "int", enum("A", "B", "C", "D", "E", "F")]
    node = read_schema(record(("x", union), ("y", "string"), ("z", "double")))

    values = samples(node, seed=0, limit=500)

    assert {v["x"].index for v in values} == {0, 1, 2}
    assert {Branch(2, symbol) for symbol in "ABCDEF"} <= {v["x"] for v in values}
    assert {Branch(1, n) for n in (2**31 - 1, -(2**31))} <= {v["x"] for v in values}
    assert "" in {v["y"] for v in values}
    assert "-0.0" in {repr(v["z"]) for v in values}


def test_the_number_of_values_is_bounded() -> None:
    wide = read_schema(record(*((f"f{n}", ["null", "string", "long"]) for n in range(200))))

    assert len(samples(wide, seed=0, limit=10)) == 10
    assert len(samples(wide, seed=0, limit=500)) < 50


@pytest.mark.parametrize(("unit", "local"), list(product(UNITS, (True, False))))
def test_timestamps_at_their_bounds_can_be_read(unit: str, local: bool) -> None:
    logical = f"{'local-' if local else ''}timestamp-{unit}"
    schema = record(("x", {"type": "long", "logicalType": logical}))

    assert probe(schema, schema) == []


def test_an_invalid_schema_is_refused() -> None:
    with pytest.raises(CatalogInvalid):
        probe("nothing", "int")
