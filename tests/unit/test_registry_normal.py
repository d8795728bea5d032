"""The normal form of a schema."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from relay.registry.errors import ApiError
from relay.registry.schema import digest, normal, parse
from relay.schema.avro.fingerprint import canonical_form
from relay.schema.avro.nodes import Node
from tests.oracle.pairs import pair
from tests.unit.registry_schemas import field, record

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
    once = normal(json.dumps(schema))

    assert normal(once) == once


@given(st.integers(0, 2**32))
@example(9)
@example(50)
def test_a_normal_form_is_its_own_with_names_in_and_out_of_namespaces(number: int) -> None:
    text, _ = pair(1, number)
    try:
        once = normal(text, new=False)
    except ApiError:
        assume(False)

    assert normal(once, new=False) == once
    assert full_names(parse(once, new=False)) == full_names(parse(text, new=False))


def full_names(schema: Node) -> list[str]:
    """Full names and aliases of the types of a schema in the order of their definitions."""
    found: list[str] = []
    seen: set[Node] = set()
    ahead = [schema]
    while ahead:
        one = ahead.pop()
        if one in seen:
            continue
        seen.add(one)
        if one.name:
            found += [one.name, *sorted(set(one.aliases))]
        ahead += one.parts
    return found


def test_a_type_without_namespace_keeps_none_within_one() -> None:
    inner = {"type": "fixed", "name": "F", "namespace": "", "size": 3}
    apart = normal(json.dumps(record(field(inner), namespace="shop")))
    together = normal(json.dumps(record(field(inner | {"namespace": "shop"}), namespace="shop")))

    assert digest(apart) != digest(together)
    assert json.loads(apart)["fields"][0]["type"]["namespace"] == ""
    assert parse(apart).fields[0].node.name == "F"


def test_an_alias_without_namespace_does_not_come_into_one() -> None:
    schema = {"type": "fixed", "name": "shop.F", "size": 3, "aliases": [".Old"]}

    once = normal(json.dumps(schema))

    assert json.loads(once)["aliases"] == [".Old"]
    assert normal(once) == once


def test_a_reference_in_an_object_is_a_reference() -> None:
    money = {"type": "fixed", "name": "Money", "size": 8}
    fields = [field(money), {"name": "b", "type": {"type": "Money"}}]
    plain = [field(money), {"name": "b", "type": "Money"}]

    assert normal(json.dumps(record(*fields))) == normal(json.dumps(record(*plain)))


@given(records())
def test_a_normal_form_reads_the_same_bytes(schema: dict[str, Any]) -> None:
    assert canonical_form(json.loads(normal(json.dumps(schema)))) == canonical_form(schema)


@given(records())
def test_writing_out_defaults_makes_no_other_schema(
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

    assert normal(json.dumps(schema | change)) != normal(json.dumps(schema))


def test_aliases_are_a_set_of_full_names() -> None:
    one = {"type": "fixed", "name": "a.A", "size": 1, "aliases": ["C", "a.B"]}
    other = {"type": "fixed", "name": "A", "namespace": "a", "size": 1, "aliases": ["B", "C"]}

    assert normal(json.dumps(one)) == normal(json.dumps(other))


def test_a_type_of_another_schema_is_known_by_its_full_name() -> None:
    money = '{"type":"record","name":"shop.Money","fields":[{"name":"cents","type":"long"}]}'
    order = {"type": "record", "name": "Order", "namespace": "shop", "fields": []}
    order["fields"] = [{"name": "total", "type": "Money", "default": {"cents": 0}}]

    found = json.loads(normal(json.dumps(order), [money]))

    assert found["fields"][0]["type"] == "shop.Money"
    order["fields"] = [{"name": "total", "type": "Money", "default": {}}]
    with pytest.raises(ApiError, match=r"lacks the field 'cents' of shop\.Money"):
        normal(json.dumps(order), [money])
