"""Each rule of compatibility: where it is broken, in what words, and what fixes it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from relay.schema.avro.nodes import Node
from relay.schema.avro.parse import parse
from relay.schema.compatibility import Finding, Rule, findings

INT = {"name": "a", "type": "int"}


def record(*fields: Any, name: str = "R", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def enum(*symbols: str, name: str = "E", **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": name, "symbols": list(symbols), **more}


def fixed(size: int, name: str = "F", **more: Any) -> dict[str, Any]:
    return {"type": "fixed", "name": name, "size": size, **more}


def found(reader: Any, writer: Any) -> list[Finding]:
    return findings(parse(json.dumps(reader)), parse(json.dumps(writer)))


def places(reader: Any, writer: Any) -> list[tuple[Rule, str]]:
    return [(finding.rule, finding.path) for finding in found(reader, writer)]


@pytest.mark.parametrize(
    ("reader", "writer", "rule", "path", "field", "fixes", "fixed_reader", "fixed_writer"),
    [
        (
            "int",
            "long",
            Rule.TYPE_MISMATCH,
            "$",
            "",
            ("Make it long or float or double, or a union with long in it", "Make it int"),
            "long",
            "int",
        ),
        (
            record({"name": "a", "type": "double"}),
            record({"name": "a", "type": "string"}),
            Rule.TYPE_MISMATCH,
            "$.fields[0].type",
            "a",
            (
                "Make it string or bytes, or a union with string in it",
                "Make it double or float or int or long",
            ),
            record({"name": "a", "type": ["double", "string"]}),
            record({"name": "a", "type": "long"}),
        ),
        (
            record({"name": "a", "type": {"type": "array", "items": "int"}}),
            record({"name": "a", "type": {"type": "array", "items": ["null", "int"]}}),
            Rule.TYPE_MISMATCH,
            "$.fields[0].type.items",
            "a[]",
            ("Make it a union that has null too", "Take null out of the union"),
            record({"name": "a", "type": {"type": "array", "items": ["null", "int"]}}),
            record({"name": "a", "type": {"type": "array", "items": ["int"]}}),
        ),
        (
            {"type": "map", "values": fixed(4, "shop.F")},
            {"type": "map", "values": fixed(4, "old.G")},
            Rule.NAME_MISMATCH,
            "$.values.name",
            "{}",
            ("Name it G again, or give it the alias old.G", "Name it F again"),
            {"type": "map", "values": fixed(4, "shop.F", aliases=["old.G"])},
            {"type": "map", "values": fixed(4, "old.F")},
        ),
        (
            record(INT, {"name": "f", "type": fixed(16)}),
            record(INT, {"name": "f", "type": fixed(8)}),
            Rule.FIXED_SIZE_MISMATCH,
            "$.fields[1].type.size",
            "f",
            (
                "Set the size to 8 again, or put the new size into a new type under a new field "
                "with a default",
                "Set the size to 16 again, or put the new size into a new type under a new field "
                "and keep this one",
            ),
            record(INT, {"name": "g", "type": fixed(16, "G"), "default": "x"}),
            record(INT, {"name": "f", "type": fixed(16)}, {"name": "g", "type": fixed(8, "G")}),
        ),
        (
            record({"name": "e", "type": enum("A", "B")}),
            record({"name": "e", "type": enum("C", "A", "D")}),
            Rule.MISSING_ENUM_SYMBOLS,
            "$.fields[0].type.symbols",
            "e",
            (
                "Add C, D, or give the enum a default such as A for unknown symbols",
                "Leave C, D out until all readers have them, or have a default in the enum",
            ),
            record({"name": "e", "type": enum("A", "B", default="A")}),
            record({"name": "e", "type": enum("A")}),
        ),
        (
            record({"name": "b", "type": "string"}),
            record({"name": "c", "type": "string"}, {"name": "d", "type": "int"}),
            Rule.READER_FIELD_MISSING_DEFAULT_VALUE,
            "$.fields[0]",
            "b",
            (
                "Give b a default, or the alias c if that is its former name",
                "Keep a field b of string",
            ),
            record({"name": "b", "type": "string", "aliases": ["c"]}),
            record({"name": "b", "type": "string"}),
        ),
        (
            record({"name": "a", "type": ["null", "int"]}),
            record({"name": "a", "type": ["null", "string"]}),
            Rule.MISSING_UNION_BRANCH,
            "$.fields[0].type",
            "a",
            (
                "Add string to the union",
                "Take string out of the union until all readers have it",
            ),
            record({"name": "a", "type": ["null", "int", "string"]}),
            record({"name": "a", "type": ["null"]}),
        ),
        (
            ["null", "long"],
            "string",
            Rule.MISSING_UNION_BRANCH,
            "$",
            "",
            ("Add string to the union", "Use one of null, long"),
            ["null", "long", "string"],
            "null",
        ),
        (
            record({"name": "a", "type": "int", "aliases": ["b"]}),
            record(INT, {"name": "b", "type": "int"}),
            Rule.AMBIGUOUS_FIELD,
            "$.fields[0]",
            "a",
            ("Take the alias b away, until one match is left", "Keep only one of a, b"),
            record(INT),
            record({"name": "b", "type": "int"}),
        ),
        (
            record({"name": "a", "type": "int", "aliases": ["a"]}),
            record(INT),
            Rule.AMBIGUOUS_FIELD,
            "$.fields[0]",
            "a",
            ("Take the alias a away, which is the field's own name", "Leave a out"),
            record(INT),
            None,
        ),
    ],
)
def test_a_broken_rule_is_found_at_its_place_and_either_fix_makes_the_pair_compatible(
    reader: Any,
    writer: Any,
    rule: Rule,
    path: str,
    field: str,
    fixes: tuple[str, str],
    fixed_reader: Any,
    fixed_writer: Any,
) -> None:
    [finding] = found(reader, writer)

    assert (finding.rule, finding.path, finding.field) == (rule, path, field)
    assert (finding.reader_fix, finding.writer_fix) == fixes
    assert found(fixed_reader, writer) == []
    if fixed_writer is not None:
        assert found(reader, fixed_writer) == []


def test_both_sides_are_described() -> None:
    [finding] = found(
        record({"name": "e", "type": enum("A", name="shop.State")}),
        record({"name": "e", "type": ["null", enum("A", name="shop.State")]}),
    )

    assert finding.reader == "enum shop.State of A"
    assert finding.writer == "null in a union of null, enum shop.State"


def test_a_logical_type_is_described_and_not_compared() -> None:
    millis = {"type": "long", "logicalType": "timestamp-millis"}
    micros = {"type": "long", "logicalType": "timestamp-micros"}

    assert found(millis, micros) == []
    assert found("string", micros)[0].writer == "long (timestamp-micros)"


def test_a_finding_about_a_union_explains_the_nearest_branch() -> None:
    before, after = (record({"name": "a", "type": kind}, name="S") for kind in ("int", "string"))

    [finding] = found(
        record({"name": "r", "type": ["null", after]}), record({"name": "r", "type": before})
    )

    assert finding.rule == Rule.MISSING_UNION_BRANCH
    assert finding.reader_fix == "Fix the record S in the union"
    [reason] = finding.because
    assert (reason.rule, reason.path) == (Rule.TYPE_MISMATCH, "$.fields[0].type[1].fields[0].type")
    assert reason.field == "r.a"


def test_a_field_missing_in_the_writer_is_not_saved_by_the_default_of_its_enum() -> None:
    reader = record({"name": "e", "type": enum("A", default="A")})

    [finding] = found(reader, record())

    assert finding.rule == Rule.READER_FIELD_MISSING_DEFAULT_VALUE
    assert "the enum's own is for unknown symbols" in finding.reader


def test_a_default_of_null_is_a_default() -> None:
    reader = record({"name": "a", "type": ["null", "int"], "default": None})

    assert found(reader, record()) == []


def test_named_types_match_by_short_name_and_by_an_alias_in_full() -> None:
    assert found(record(name="new.R"), record(name="old.R")) == []
    assert found(record(name="new.S", aliases=["old.R"]), record(name="old.R")) == []
    # An alias without namespace is one in the type's own namespace
    assert places(record(name="new.S", aliases=["R"]), record(name="old.R")) == [
        (Rule.NAME_MISMATCH, "$.name")
    ]
    assert found(record(name="old.S", aliases=["R"]), record(name="old.R")) == []
    # The writer's aliases do not count
    assert places(record(name="R"), record(name="S", aliases=["R"])) == [
        (Rule.NAME_MISMATCH, "$.name")
    ]


def test_an_error_is_read_as_a_record() -> None:
    assert found(record(INT), record(INT) | {"type": "error"}) == []


def test_findings_come_in_the_order_of_the_readers_schema() -> None:
    reader = record(
        {"name": "a", "type": "int"},
        {"name": "b", "type": "int"},
        {"name": "c", "type": record({"name": "x", "type": "int"}, name="S")},
        {"name": "d", "type": "int"},
    )
    writer = record(
        {"name": "d", "type": "string"},
        {"name": "c", "type": record({"name": "x", "type": "null"}, name="T")},
        {"name": "a", "type": "string"},
    )

    assert places(reader, writer) == [
        (Rule.TYPE_MISMATCH, "$.fields[0].type"),
        (Rule.READER_FIELD_MISSING_DEFAULT_VALUE, "$.fields[1]"),
        (Rule.NAME_MISMATCH, "$.fields[2].type.name"),
        (Rule.TYPE_MISMATCH, "$.fields[2].type.fields[0].type"),
        (Rule.TYPE_MISMATCH, "$.fields[3].type"),
    ]


def test_an_ambiguous_field_counts_although_another_branch_would_fit() -> None:
    # Given a union whose first branch is ambiguous and whose second reads everything
    fits = record({"name": "a", "type": "int"}, name="old.R")
    ambiguous = record({"name": "a", "type": "int", "aliases": ["a"]}, name="new.R")

    # Then it depends on their order, since Java gives up at the first ambiguous field
    assert found([fits, ambiguous], fits) == []
    assert places([ambiguous, fits], fits) == [(Rule.AMBIGUOUS_FIELD, "$[0].fields[0]")]


def test_recursive_types_are_compared_once() -> None:
    def tree(value: str) -> dict[str, Any]:
        return record(
            {"name": "value", "type": value},
            {"name": "left", "type": ["null", "R"]},
            {"name": "right", "type": ["null", "R"]},
        )

    assert found(tree("long"), tree("int")) == []
    assert places(tree("int"), tree("long"))[0] == (Rule.TYPE_MISMATCH, "$.fields[0].type")
    # What comes back to the root fits as long as the root is under way
    assert len(found(tree("int"), tree("long"))) == 1


def test_types_may_refer_to_each_other_deeper_than_the_call_stack() -> None:
    def chain(last: str) -> Node:
        links = [
            record({"name": "a", "type": f"R{n - 1}" if n else last}, name=f"R{n}")
            for n in range(3_000)
        ]
        return parse('"R2999"', [json.dumps(link) for link in links])

    assert findings(chain("long"), chain("int")) == []
    [finding] = findings(chain("int"), chain("long"))
    assert finding.path == "$" + ".fields[0].type" * 3_000


def test_types_that_are_used_repeatedly_are_compared_once() -> None:
    def doubling(last: str) -> Node:
        links = [
            record(
                *({"name": name, "type": f"R{n - 1}" if n else last} for name in "ab"),
                name=f"R{n}",
            )
            for n in range(100)
        ]
        return parse('"R99"', [json.dumps(link) for link in links])

    # 2 ** 100 ways lead to the last type
    assert findings(doubling("long"), doubling("int")) == []
    assert len(findings(doubling("int"), doubling("long"))) == 2
