"""Ids follow from the schema's text; names and levels are read as Confluent reads them."""

from __future__ import annotations

import json
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.registry.errors import ApiError
from relay.registry.names import context_of, qualify, scopes
from relay.registry.schema import candidate_ids, compact, digest, parse
from relay.schema.compatibility.levels import Level, problems

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
records = st.builds(
    lambda name, fields: {
        "type": "record",
        "name": name,
        "doc": "é",
        "fields": [{"name": field, "type": kind} for field, kind in fields.items()],
    },
    names,
    st.dictionaries(names, st.sampled_from(["int", "string", "long"]), min_size=1, max_size=4),
)


@given(st.binary(min_size=32, max_size=32))
def test_ids_are_positive_31_bit_numbers_and_probing_gives_another_each_time(text: bytes) -> None:
    ids = list(islice(candidate_ids(text), 5))

    assert all(1 <= one < 2**31 for one in ids)
    assert len(set(ids)) == 5


def test_probing_continues_at_one_after_the_largest_id() -> None:
    last = (2**31 - 2).to_bytes(8, "big") + bytes(24)

    assert list(islice(candidate_ids(last), 2)) == [2**31 - 1, 1]


def test_a_text_has_the_same_id_in_every_database_and_every_release() -> None:
    text = '{"type": "record", "name": "A", "fields": [{"name": "a", "type": "int"}]}'

    assert next(candidate_ids(digest(compact(text)))) == 1643201962


@given(records)
def test_white_space_and_order_of_keys_make_no_difference(schema: dict[str, object]) -> None:
    spread = json.dumps(dict(reversed(schema.items())), indent=3, ensure_ascii=True)

    assert digest(compact(spread)) == digest(compact(json.dumps(schema)))


@given(records)
def test_order_of_fields_makes_another_schema(schema: dict[str, list[object]]) -> None:
    swapped = {**schema, "fields": schema["fields"][::-1]}

    assert (digest(json.dumps(swapped)) == digest(json.dumps(schema))) == (swapped == schema)


@pytest.mark.parametrize("text", ["", "{", '{"type":"nothing"}', "3", "[", '{"type":"record"}'])
def test_a_text_that_is_not_a_schema_is_refused_with_42201(text: str) -> None:
    with pytest.raises(ApiError) as refusal:
        parse(compact(text))

    assert refusal.value.code == 42201


def test_a_subject_of_the_default_context_has_one_name() -> None:
    assert qualify("a") == qualify(":.:a") == qualify("a", ".") == qualify("a", ":.:") == "a"
    assert qualify("a", ".other") == qualify("a", ":.other:") == ":.other:a"
    assert context_of(":.other:a") == ".other"
    assert scopes(":.other:a") == [":.other:a", ":.other:", ""]
    assert scopes("a") == ["a", ""]


@pytest.mark.parametrize(
    ("level", "allowed"),
    [
        (Level.NONE, True),
        (Level.BACKWARD, True),
        (Level.BACKWARD_TRANSITIVE, False),
        (Level.FORWARD, False),
        (Level.FULL, False),
    ],
)
def test_a_level_decides_who_must_read_whom_and_how_far_back(level: Level, allowed: bool) -> None:
    def record(*fields: str) -> str:
        return json.dumps(
            {"type": "record", "name": "R", "fields": [json.loads(f) for f in fields]}
        )

    optional = '{"name":"b","type":"int","default":0}'
    # Given a first version without b, a second with b
    first = parse(record('{"name":"a","type":"int"}'))
    second = parse(record('{"name":"a","type":"int"}', '{"name":"b","type":"int"}'))
    # When a third has b and not a: it reads the second, which can't read it
    third = parse(record('{"name":"b","type":"int"}'))
    assert optional not in str(third)

    found = problems(level, third, [(1, first), (2, second)])

    assert (not found) == allowed
    assert all("version" in problem for problem in found)
