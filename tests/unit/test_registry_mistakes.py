"""What is wrong with a schema is named by its place; only new ones must be valid throughout."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.registry.errors import ApiError
from relay.registry.schema import compact, normal, parse
from relay.schema.compatibility import findings
from tests.unit.registry_schemas import field, record

FIXED = {"type": "fixed", "name": "F", "size": 2}
WORDS = [
    "type",
    "name",
    "namespace",
    "fields",
    "items",
    "values",
    "symbols",
    "size",
    "default",
    "aliases",
    "order",
    "doc",
    "logicalType",
    "precision",
    "scale",
    "record",
    "error",
    "enum",
    "fixed",
    "array",
    "map",
    "union",
    "null",
    "int",
    "long",
    "bytes",
    "string",
    "decimal",
    "uuid",
    "date",
    "A",
    "B.C",
    "ascending",
]
words = st.sampled_from(WORDS)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=6),
    max_leaves=25,
)


@settings(max_examples=1_000, deadline=None)
@given(anything, st.fixed_dictionaries({"type": words, "name": words}))
@example({"symbols": [[]]}, {"type": "enum", "name": "A"})
@example([{"type": "long", "name": [1]}, "null"], {"type": "int", "name": "A"})
@example({"fields": [{"name": "a", "type": {"type": []}}]}, {"type": "record", "name": "A"})
def test_whatever_is_not_a_schema_is_refused(more: Any, schema: dict[str, Any]) -> None:
    tried = [more, [more, schema], {**schema, **more} if isinstance(more, dict) else schema]
    for one in tried:
        code, form = _tried(json.dumps(one))
        assert code == 42201 or normal(form) == form


def _tried(text: str) -> tuple[int | None, str]:
    """(code, "") of a refusal, (None, normal form) of a schema."""
    try:
        parse(text)
        return None, normal(text)
    except ApiError as refusal:
        return refusal.code, ""


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        (3, r"\$: 3 is not a type"),
        ({"type": {"type": "int"}}, r"\$\.type: .* is not the name of a type"),
        ("Money", r'\$: the type "Money" is not known'),
        ({"name": "R"}, r"\$: 'type' is missing"),
        ({"type": "record", "fields": []}, r"\$: the record has no 'name'"),
        ({"type": "record", "name": "R"}, r"\$: the record has no list of 'fields'"),
        (record(name="1R"), r"\$\.name: "),
        (record(namespace=3), r"\$\.namespace: "),
        (record({"type": "int"}), r"\$\.fields\[0\]: the field has no 'name'"),
        (record({"name": "a"}), r"\$\.fields\[0\]: the field 'a' has no 'type'"),
        (record(field("int"), field("int")), r"\$\.fields\[1\]: the field 'a' is listed twice"),
        (record(field("int", order="up")), r"\$\.fields\[0\]\.order: "),
        (record(field("int", aliases="b")), r"\$\.fields\[0\]\.aliases: "),
        (record(field({"type": "array"})), r"\$\.fields\[0\]\.type: the array has no 'items'"),
        (
            record(field({"type": "map", "values": ["null", "Money"]})),
            r"\$\.fields\[0\]\.type\.values\[1\]: ",
        ),
        (record(field(["int", "int"])), r"\$\.fields\[0\]\.type\[1\]: the union has 'int' twice"),
        (record(field(["int", ["null"]])), r"\$\.fields\[0\]\.type\[1\]: a union is directly"),
        (record(field(record())), r"\$\.fields\[0\]\.type: the type 'R' is defined twice"),
        ({"type": "enum", "name": "E"}, r"\$: the enum has no list of 'symbols'"),
        ({"type": "enum", "name": "E", "symbols": ["A", "-"]}, r"\$\.symbols\[1\]: "),
        ({"type": "enum", "name": "E", "symbols": ["A", "A"]}, r"\$\.symbols\[1\]: .* twice"),
        ({"type": "enum", "name": "E", "symbols": ["A"], "default": "B"}, r"\$\.default: "),
        ({"type": "fixed", "name": "F", "size": "4"}, r"\$\.size: "),
        ({"type": "fixed", "name": "F", "size": -1}, r"\$\.size: "),
        (record(aliases=["a-b"]), r"\$\.aliases\[0\]: "),
        (record(name=".a.R"), r"\$\.name: "),
    ],
)
def test_a_mistake_is_named_by_its_place(schema: Any, place: str) -> None:
    with pytest.raises(ApiError, match=f"^Invalid schema: {place}") as refusal:
        normal(json.dumps(schema))

    assert refusal.value.code == 42201


@pytest.mark.parametrize(
    "schema",
    [
        record(namespace="my-shop.orders"),
        record(aliases=["a-b"]),
        record(field("R", default={})),
        record(field(["null", "int"], default="x")),
    ],
)
def test_what_another_registry_has_taken_is_read(schema: Any) -> None:
    text = json.dumps(schema, ensure_ascii=False)

    with pytest.raises(ApiError):
        normal(text)
    assert normal(normal(text, new=False), new=False) == normal(text, new=False)
    assert findings(parse(text, new=False), parse(text, new=False)) == []


@pytest.mark.parametrize(
    "schema",
    [
        record(name="Größe"),
        record({"name": "größe", "type": "int"}),
        record({"name": "a", "type": "F"}, {"name": "b", "type": FIXED}),
        record({"name": "a", "type": FIXED}, {"name": "b", "type": FIXED}),
        record(field({"type": "enum", "name": "E", "symbols": ["A"]}, default="B")),
    ],
)
def test_what_javas_parser_takes_is_taken(schema: Any) -> None:
    form = normal(json.dumps(schema))

    assert normal(form) == form


@pytest.mark.parametrize(
    "text", ['// a count\n{"type": "int"}', '{"type": /* a */ "int"}', '\ufeff"int"']
)
def test_comments_are_taken_and_not_kept(text: str) -> None:
    assert normal(compact(text)) == '"int"'
    assert json.loads(compact(text)) in ({"type": "int"}, "int")


def test_a_new_schema_may_refer_to_one_whose_default_is_none() -> None:
    money = json.dumps(record({"name": "cents", "type": "int", "default": "x"}, name="Money"))
    total = {"name": "total", "type": "Money"}

    parse(json.dumps(record(total)), [money])

    with pytest.raises(ApiError, match=r'\$\.fields\[0\]\.default: .* is "x", .* a value of int'):
        parse(json.dumps(record(total | {"default": {}})), [money])


def test_a_default_that_a_standing_record_fills_in_without_end_is_refused() -> None:
    node = json.dumps(record({"name": "next", "type": "Node", "default": {}}, name="Node"))

    with pytest.raises(ApiError, match=r"^Invalid schema: \$\.fields\[0\]\.default: .* Node"):
        parse(json.dumps(record(field("Node", default={}))), [node])


ENUM = {"type": "enum", "name": "E", "symbols": ["A"]}


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("null", [None], [0]),
        ("boolean", [True], [0, "true"]),
        ("int", [0, -(2**31)], [2**31, 1.5, True, "1"]),
        ("long", [2**63 - 1], [2**63]),
        ("float", [1, 1.5, "1"], ["x", True]),
        ("double", [1, 1e300], [None]),
        ("string", ["", "é"], [1, None]),
        ("bytes", ["\u00ff", "\u0100"], [1]),
        (FIXED, ["ab", "a", "abc"], [1]),
        (ENUM, ["A", "B"], [None]),
        ({"type": "array", "items": "int"}, [[], [1]], [["x"], {}]),
        ({"type": "map", "values": "int"}, [{}, {"a": 1}], [{"a": "x"}, []]),
        (["null", "int"], [None, 1], ["x"]),
        ({"type": "record", "name": "S", "fields": []}, [{}], [[], None]),
    ],
)
def test_a_default_is_what_java_takes_for_a_value_of_its_type(
    kind: Any, right: list[Any], wrong: list[Any]
) -> None:
    for value in right:
        normal(json.dumps(record(field(kind, default=value))))
    for value in wrong:
        with pytest.raises(ApiError, match=r"\$\.fields\[0\]\.default: the default of R\.a is"):
            normal(json.dumps(record(field(kind, default=value))))
        # What another registry has taken is read all the same
        normal(json.dumps(record(field(kind, default=value))), new=False)


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        ("R", {}),
        (["null", "R"], {}),
        (["R", {"type": "map", "values": "int"}], {}),
        ({"type": "array", "items": "R"}, [{}]),
        # Which ends, but Java can't read it all the same
        ({"type": "array", "items": "R"}, [{"a": []}]),
        ({"type": "map", "values": ["R", "null"]}, {"x": {}}),
        (record({"name": "b", "type": "R", "default": {}}, name="S"), {}),
    ],
)
def test_no_default_fills_in_a_record_within_its_own_definition(kind: Any, default: Any) -> None:
    with pytest.raises(
        ApiError, match=r"^Invalid schema: \$\.fields\[0\].* within its own definition"
    ):
        normal(json.dumps(record(field(kind, default=default))))


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        ({"type": "array", "items": "R"}, []),
        (["null", "R"], None),
        ([{"type": "map", "values": "int"}, "R"], {}),
    ],
)
def test_a_recursive_type_may_have_a_default_without_itself(kind: Any, default: Any) -> None:
    normal(json.dumps(record(field(kind, default=default))))


@pytest.mark.parametrize("depth", [5_000, 100_000])
def test_a_schema_nested_too_deeply_is_refused(depth: int) -> None:
    text = '{"type":"array","items":' * depth + '"int"' + "}" * depth

    with pytest.raises(ApiError, match="nested too deeply") as refusal:
        normal(text)

    assert refusal.value.code == 42201
