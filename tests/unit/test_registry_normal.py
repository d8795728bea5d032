"""The normal form of a schema, and the place of a mistake in one that is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.avro.fingerprint import canonical_form
from relay.registry.server.normal import normal_form
from relay.registry.server.refusals import Refusal
from relay.registry.server.schema import digest, normal, parse

names = st.from_regex(r"[A-Z][A-Za-z0-9_]{0,8}", fullmatch=True)
primitives = st.sampled_from(["int", "long", "string", "bytes", "boolean", "double"])


@st.composite
def types(draw: st.DrawFn, depth: int = 2) -> Any:
    """A type as somebody might write it; names are made different by the caller."""
    if depth == 0:
        return draw(primitives)
    inner = types(depth - 1)
    match draw(st.integers(0, 4)):
        case 0:
            return {"type": "array", "items": draw(inner)}
        case 1:
            return {"type": "map", "values": draw(inner)}
        case 2:
            return ["null", {"type": "array", "items": draw(inner)}]
        case 3:
            return {"type": draw(primitives)}
        case _:
            return draw(primitives)


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    fields = draw(st.lists(types(), max_size=4))
    return {
        "type": "record",
        "name": draw(names),
        "namespace": draw(st.sampled_from(["", "a", "a.b"])),
        "doc": draw(st.sampled_from(["", "an order"])),
        "fields": [{"name": f"f{index}", "type": one} for index, one in enumerate(fields)],
    }


@given(records())
def test_a_normal_form_is_its_own_normal_form(schema: dict[str, Any]) -> None:
    once = normal_form(json.dumps(schema))

    assert normal_form(once) == once


@given(records())
def test_a_normal_form_reads_the_same_bytes(schema: dict[str, Any]) -> None:
    assert canonical_form(json.loads(normal_form(json.dumps(schema)))) == canonical_form(schema)


@given(records())
def test_writing_out_what_is_a_matter_of_course_makes_no_other_schema(
    schema: dict[str, Any],
) -> None:
    fields = [
        {"order": "ascending", "aliases": [], **field, "type": {"type": field["type"]}}
        if isinstance(field["type"], str)
        else {"order": "ascending", **field}
        for field in schema["fields"]
    ]
    space = f"{schema['namespace']}." if schema["namespace"] else ""
    written_out = {
        "fields": fields,
        "name": f"{space}{schema['name']}",
        "type": "record",
        "doc": schema["doc"],
    }

    assert digest(normal(json.dumps(written_out))) == digest(normal(json.dumps(schema)))


@pytest.mark.parametrize(
    "change",
    [
        {"doc": "another"},
        {"aliases": ["Other"]},
        {"owner": "payments"},
        {"fields": [{"name": "a", "type": "int", "default": 1}]},
        {"fields": [{"name": "a", "type": "int", "doc": "a number"}]},
        {"fields": [{"name": "a", "type": {"type": "int", "logicalType": "date"}}]},
        {"fields": [{"name": "a", "type": "int", "order": "ignore"}]},
    ],
)
def test_what_a_reader_may_go_by_makes_another_schema(change: dict[str, Any]) -> None:
    schema = {"type": "record", "name": "A", "fields": [{"name": "a", "type": "int"}]}

    assert normal_form(json.dumps(schema | change)) != normal_form(json.dumps(schema))


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
@example({"fields": [{"name": "a", "type": {"type": []}}]}, {"type": "record", "name": "A"})
def test_whatever_is_no_schema_is_refused_as_one(more: Any, schema: dict[str, Any]) -> None:
    tried = [more, [more, schema], {**schema, **more} if isinstance(more, dict) else schema]
    for one in tried:
        code, form = _tried(json.dumps(one))
        assert code == 42201 or normal_form(form) == form


def _tried(text: str) -> tuple[int | None, str]:
    """(code, "") of a refusal, (None, normal form) of a schema."""
    try:
        parse(text)
        return None, normal(text)
    except Refusal as refusal:
        return refusal.code, ""


def test_aliases_are_a_set_of_full_names() -> None:
    one = {"type": "fixed", "name": "a.A", "size": 1, "aliases": ["C", "a.B"]}
    other = {"type": "fixed", "name": "A", "namespace": "a", "size": 1, "aliases": ["B", "C"]}

    assert normal_form(json.dumps(one)) == normal_form(json.dumps(other))


def test_a_type_of_another_schema_is_known_by_its_full_name() -> None:
    money = '{"type":"record","name":"shop.Money","fields":[{"name":"cents","type":"long"}]}'
    order = {"type": "record", "name": "Order", "namespace": "shop", "fields": []}
    order["fields"] = [{"name": "total", "type": "Money", "default": {"cents": 0}}]

    found = json.loads(normal_form(json.dumps(order), [money]))

    assert found["fields"][0]["type"] == "shop.Money"
    order["fields"] = [{"name": "total", "type": "Money", "default": {}}]
    with pytest.raises(Refusal, match=r"lacks the field 'cents' of shop\.Money"):
        normal_form(json.dumps(order), [money])


def _record(*fields: Any, **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": list(fields), **more}


def _field(kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": "a", "type": kind, **more}


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        (3, r"\$: 3 is no type"),
        ("Money", r'\$: the type "Money" is not known'),
        ({"name": "R"}, r"\$: it has no 'type'"),
        ({"type": "record", "fields": []}, r"\$: the record has no 'name'"),
        ({"type": "record", "name": "R"}, r"\$: the record has no list of 'fields'"),
        (_record(name="1R"), r"\$\.name: "),
        (_record(namespace=3), r"\$\.namespace: "),
        (_record({"type": "int"}), r"\$\.fields\[0\]: the field has no 'name'"),
        (_record({"name": "a"}), r"\$\.fields\[0\]: the field 'a' has no 'type'"),
        (_record(_field("int"), _field("int")), r"\$\.fields\[1\]: the field 'a' is listed twice"),
        (_record(_field("int", order="up")), r"\$\.fields\[0\]\.order: "),
        (_record(_field("int", aliases="b")), r"\$\.fields\[0\]\.aliases: "),
        (_record(_field({"type": "array"})), r"\$\.fields\[0\]\.type: the array has no 'items'"),
        (
            _record(_field({"type": "map", "values": ["null", "Money"]})),
            r"\$\.fields\[0\]\.type\.values\[1\]: ",
        ),
        (_record(_field(["int", "int"])), r"\$\.fields\[0\]\.type\[1\]: the union has 'int' twice"),
        (_record(_field(["int", ["null"]])), r"\$\.fields\[0\]\.type\[1\]: a union stands"),
        (_record(_field(_record())), r"\$\.fields\[0\]\.type: the type 'R' is defined twice"),
        ({"type": "enum", "name": "E"}, r"\$: the enum has no list of 'symbols'"),
        ({"type": "enum", "name": "E", "symbols": ["A", "-"]}, r"\$\.symbols\[1\]: "),
        ({"type": "enum", "name": "E", "symbols": ["A", "A"]}, r"\$\.symbols\[1\]: .* twice"),
        ({"type": "enum", "name": "E", "symbols": ["A"], "default": "B"}, r"\$\.default: "),
        ({"type": "fixed", "name": "F", "size": "4"}, r"\$\.size: "),
        ({"type": "fixed", "name": "F", "size": -1}, r"\$\.size: "),
    ],
)
def test_a_mistake_is_named_by_its_place(schema: Any, place: str) -> None:
    with pytest.raises(Refusal, match=f"^Invalid schema: {place}") as refusal:
        normal_form(json.dumps(schema))

    assert refusal.value.code == 42201


ENUM = {"type": "enum", "name": "E", "symbols": ["A"]}
FIXED = {"type": "fixed", "name": "F", "size": 2}


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("null", [None], [0]),
        ("boolean", [True], [0, "true"]),
        ("int", [0, -(2**31)], [2**31, 1.5, True, "1"]),
        ("long", [2**63 - 1], [2**63]),
        ("float", [1, 1.5], ["1", True]),
        ("double", [1, 1e300], [None]),
        ("string", ["", "é"], [1, None]),
        ("bytes", ["\u00ff"], ["\u0100", 1]),
        (FIXED, ["ab"], ["a", "abc"]),
        (ENUM, ["A"], ["B", None]),
        ({"type": "array", "items": "int"}, [[], [1]], [["x"], {}]),
        ({"type": "map", "values": "int"}, [{}, {"a": 1}], [{"a": "x"}, []]),
        (["null", "int"], [None, 1], ["x"]),
        ({"type": "record", "name": "S", "fields": []}, [{}], [[], None]),
    ],
)
def test_a_default_is_a_value_of_its_type(kind: Any, right: list[Any], wrong: list[Any]) -> None:
    for value in right:
        normal_form(json.dumps(_record(_field(kind, default=value))))
    for value in wrong:
        with pytest.raises(Refusal, match=r"\$\.fields\[0\]\.default: the default of R\.a is"):
            normal_form(json.dumps(_record(_field(kind, default=value))))
        # What another registry has taken is read all the same
        normal_form(json.dumps(_record(_field(kind, default=value))), new=False)


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        ("R", {}),
        (["null", "R"], {}),
        ({"type": "array", "items": "R"}, [{}]),
        ({"type": "map", "values": ["R", "null"]}, {"x": {}}),
        (_record({"name": "b", "type": "R", "default": {}}, name="S"), {}),
    ],
)
def test_a_default_that_holds_itself_is_no_value(kind: Any, default: Any) -> None:
    with pytest.raises(Refusal, match=r"^Invalid schema: \$\.fields\[0\].* never ends"):
        normal_form(json.dumps(_record(_field(kind, default=default))))


def test_a_recursive_type_may_have_a_default_that_ends() -> None:
    nodes = {"type": "array", "items": "R"}

    normal_form(json.dumps(_record(_field(nodes, default=[{"a": []}]))))


@pytest.mark.parametrize("depth", [5_000, 100_000])
def test_a_schema_nested_too_deeply_is_refused(depth: int) -> None:
    text = '{"type":"array","items":' * depth + '"int"' + "}" * depth

    with pytest.raises(Refusal, match="nested too deeply") as refusal:
        normal(text)

    assert refusal.value.code == 42201
