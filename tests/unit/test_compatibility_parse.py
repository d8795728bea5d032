"""Schema texts are read as Java reads them, and what is wrong is named with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from relay.schema.avro.fingerprint import canonical_form
from relay.schema.avro.invalid import SchemaInvalid
from relay.schema.avro.json_text import without_comments
from relay.schema.avro.names import Strictness
from relay.schema.avro.parse import parse
from relay.schema.compatibility import findings


def field(kind: Any, **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": "f", "type": kind, **more}]}


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        (3, "$"),
        ({"type": "nothing"}, "$.type"),
        ({"name": "x"}, "$"),
        ({"type": {"type": "int"}}, "$.type"),
        ({"type": "array"}, "$"),
        ({"type": "map", "values": "unknown"}, "$.values"),
        ({"type": "error_union", "declared_errors": ["int"]}, "$.type"),
        ({"type": "fixed", "size": 3}, "$"),
        ({"type": "fixed", "name": "F", "size": -1}, "$.size"),
        ({"type": "enum", "name": "E", "symbols": ["A", "A"]}, "$.symbols[1]"),
        ({"type": "enum", "name": "E", "symbols": ["A"], "default": "B"}, "$.default"),
        ({"type": "record", "name": "R"}, "$"),
        ({"type": "record", "name": "R", "fields": [3]}, "$.fields[0]"),
        ({"type": "record", "name": "R", "fields": [{"name": "a"}]}, "$.fields[0]"),
        (
            {"type": "record", "name": "R", "fields": [{"name": "a-b", "type": "int"}]},
            "$.fields[0].name",
        ),
        (["int", "null", "int"], "$[2]"),
        (["int", ["null"]], "$[1]"),
        ([{"type": "fixed", "name": "F", "size": 3}, "F"], "$[1]"),
        (field({"type": "record", "name": "R", "fields": []}), "$.fields[0].type"),
        (field("int", aliases="a"), "$.fields[0].aliases"),
        (field("unknown"), "$.fields[0].type"),
        (field("int", order="up"), "$.fields[0].order"),
        (field("int", order=None), "$.fields[0].order"),
        ({"type": "enum", "name": "E", "symbols": "AB"}, "$"),
        ({"type": "enum", "name": "E", "symbols": ["A"], "default": None}, "$.default"),
        ({"type": "fixed", "name": "F", "size": True}, "$.size"),
        ({"type": "fixed", "name": "F", "size": 1, "namespace": False}, "$.namespace"),
        ({"type": "fixed", "name": "F", "size": 1, "namespace": "1a"}, "$.name"),
        ({"type": "fixed", "name": ".a.F", "size": 1}, "$.name"),
        ({"type": "fixed", "name": "int", "size": 1}, "$.name"),
        ({"type": "fixed", "name": "F", "size": 1, "aliases": [""]}, "$.aliases[0]"),
        (field("int", default="1"), "$.fields[0].default"),
        (field("float", default="1_0"), "$.fields[0].default"),
        (field(["double", "null"], default="1.5"), "$.fields[0].default"),
        (field("int", default=2**31), "$.fields[0].default"),
        (field("int", default=True), "$.fields[0].default"),
        (field("long", default=1.5), "$.fields[0].default"),
        (field("double", default="x"), "$.fields[0].default"),
        (field("boolean", default=0), "$.fields[0].default"),
        (field(["null", "int"], default="x"), "$.fields[0].default"),
        (field({"type": "array", "items": "int"}, default=["x"]), "$.fields[0].default"),
        (field({"type": "map", "values": "int"}, default={"a": None}), "$.fields[0].default"),
        (
            field(
                {"type": "record", "name": "S", "fields": [{"name": "a", "type": "int"}]},
                default={},
            ),
            "$.fields[0].default",
        ),
        (field(["null", "R"], default={}), "$.fields[0].default"),
        (field({"type": "array", "items": "R"}, default=[{"f": []}]), "$.fields[0].default"),
    ],
)
def test_an_invalid_schema_is_refused_with_its_place(schema: Any, path: str) -> None:
    with pytest.raises(SchemaInvalid) as refused:
        parse(json.dumps(schema))

    assert refused.value.path == path
    assert str(refused.value).startswith(f"{path}: ")


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
def test_invalid_json_and_endless_nesting_are_refused(text: str) -> None:
    with pytest.raises(SchemaInvalid):
        parse(text)


@pytest.mark.parametrize(
    "schema",
    [
        field("double", default="1.5"),
        field(["null", "int"], default=3),
        field(["null", "R"], default=None),
        field({"type": "array", "items": "R"}, default=[]),
        field({"type": "fixed", "name": "F", "size": 3}, default="x"),
        field({"type": "enum", "name": "E", "symbols": ["A"]}, default="B"),
        field("int", default=-(2**31)),
        field("bytes", default="ÿ"),
        {"type": "record", "name": "R", "fields": [{"name": "größe", "type": "int"}]},
        {"type": "record", "name": "Größe", "namespace": "lager.größe", "fields": []},
        field(["null", {"type": "R"}]),
        {"type": "record", "name": "record", "fields": []},
        {"type": "long", "name": [1]},
        [],
    ],
)
def test_what_java_accepts_is_accepted(schema: Any) -> None:
    parse(json.dumps(schema))


LATER = {
    "type": "record",
    "name": "shop.R",
    "fields": [
        {"name": "a", "type": ["null", "F"], "default": None},
        {"name": "b", "type": "E", "default": "A"},
        {"name": "c", "type": {"type": "fixed", "name": "F", "size": 2}},
        {"name": "d", "type": {"type": "enum", "name": "E", "symbols": ["A"]}},
    ],
}
TWICE = field({"type": "fixed", "name": "F", "size": 3})
TWICE["fields"].append({**TWICE["fields"][0], "name": "again"})


def test_a_type_may_be_defined_after_it_is_referred_to_but_not_by_the_specification() -> None:
    root = parse(json.dumps(LATER))

    a, b, c, d = (field.node for field in root.fields)
    assert a.branches[1] is c
    assert b is d
    assert (c.name, c.size, d.symbols) == ("shop.F", 2, ("A",))
    assert '"type":["null",{"name":"shop.F","type":"fixed","size":2}]' in canonical_form(LATER)
    with pytest.raises(SchemaInvalid, match=r"fields\[0\].type\[1\]: the type \"F\" is not known"):
        parse(json.dumps(LATER), strictness=Strictness.SPECIFICATION)


def test_the_default_of_a_type_that_is_defined_later_is_checked() -> None:
    wrong = json.dumps(LATER).replace('"default": "A"', '"default": 5')

    with pytest.raises(SchemaInvalid, match=r"fields\[1\].default: the default of shop.R.b is 5"):
        parse(wrong)


def test_a_second_definition_that_is_equal_is_the_first_but_not_by_the_specification() -> None:
    root = parse(json.dumps(TWICE))

    assert root.fields[0].node is root.fields[1].node
    with pytest.raises(SchemaInvalid, match="'F' is defined twice"):
        parse(json.dumps(TWICE), strictness=Strictness.SPECIFICATION)
    with pytest.raises(SchemaInvalid, match="'F' is defined twice"):
        parse(json.dumps(TWICE).replace('"size": 3', '"size": 4', 1))


@pytest.mark.parametrize(
    "text",
    [
        '// of a card\n{"type": "int"} // the end',
        '/* of a\n card */ {"type": /* "long" */ "int"}',
        '\ufeff{"type": "int"}',
        '{"type": "int", "doc": "see https://example.org/* and \\"//\\""} // "',
    ],
)
def test_comments_and_a_byte_order_mark_are_ignored(text: str) -> None:
    assert parse(text).kind == "int"
    assert json.loads(without_comments(text))["type"] == "int"


def test_a_string_is_not_taken_for_a_comment() -> None:
    text = '{"type": "int", "doc": "see https://example.org/* and \\"//\\" */"} // x'

    assert parse(text).json["doc"] == 'see https://example.org/* and "//" */'


def test_a_standing_schema_is_read_whatever_its_defaults_are() -> None:
    text = json.dumps(field("int", default="x"))

    standing = parse(text, strictness=Strictness.STANDING)

    assert findings(parse(json.dumps(field("long"))), standing) == []


def test_an_empty_namespace_takes_a_type_out_of_its_records() -> None:
    inner = {"type": "fixed", "name": "F", "namespace": "", "size": 3}
    outer = {"type": "record", "name": "shop.R", "fields": [{"name": "f", "type": inner}]}

    schema = parse(json.dumps(outer))

    assert schema.fields[0].node.name == "F"


def test_a_type_without_namespace_is_found_from_within_one_once_it_is_defined() -> None:
    money = {"type": "fixed", "name": "Money", "size": 8}
    line = {"type": "record", "name": "shop.Line", "fields": [{"name": "price", "type": "Money"}]}
    parse(json.dumps([money, line]))
    line["fields"] = [{"name": "within", "type": ["null", "R"]}]

    with pytest.raises(SchemaInvalid) as refused:
        parse(json.dumps(field(line)))

    assert refused.value.path == "$.fields[0].type.fields[0].type[1]"


def test_types_within_an_error_have_its_namespace() -> None:
    inner = {"type": "fixed", "name": "F", "size": 3}
    outer = {"type": "error", "name": "shop.R", "fields": [{"name": "f", "type": inner}]}

    schema = parse(json.dumps(outer))

    assert schema.fields[0].node.name == "shop.F"


def test_referenced_types_are_the_same_wherever_they_come_from() -> None:
    money = '{"type": "fixed", "name": "shop.Money", "size": 8}'
    apart = parse('{"type": "array", "items": "shop.Money"}', [money])
    inline = parse(f'{{"type": "array", "items": {money}}}')

    assert findings(apart, inline) == findings(inline, apart) == []


def test_a_deep_default_that_almost_fits_many_branches_is_refused_quickly() -> None:
    # Given two records that hold either of both, and a value that ends as none of them
    two = {"type": "record", "name": "B", "fields": [{"name": "next", "type": ["A", "B"]}]}
    one = {"type": "record", "name": "A", "fields": [{"name": "next", "type": ["A", two]}]}
    default: Any = {"next": 3}
    for _ in range(60):
        default = {"next": default}
    schema = [one, field(["A", "B"], default=default)]

    with pytest.raises(SchemaInvalid) as refused:
        parse(json.dumps(schema))

    assert refused.value.path == "$[1].fields[0].default"
