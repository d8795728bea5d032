"""JSON Schema of payloads: it takes what the encoder takes, and refuses what it can say."""

from __future__ import annotations

from math import isfinite
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from relay.errors import PayloadInvalid
from relay.schema.avro.encoder import compile_encoder
from relay.schema.catalog import Catalog
from relay.schema.export.json_schema import payload_schema, schema_of_version
from tests.unit.avro_cases import cases
from tests.unit.test_avro_encoder_generated import changes
from tests.unit.test_catalog import SHIPPED

SLOW = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
# What JSON Schema can't say, by the encoder's words.
INEXPRESSIBLE = (
    "of the calendar",
    "out of range for a long of",
    "is not exact as",
    "not valid Unicode",
)


def of(type_: Any, **rest: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": "x", "type": type_, **rest}]}


def logical(kind: str, logical_type: str, **rest: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": logical_type, **rest}


def validates(schema: Any, value: Any) -> bool:
    return Draft202012Validator(payload_schema(schema)).is_valid(value)


def refusal(schema: Any, value: Any) -> str | None:
    try:
        compile_encoder(schema)(value)
    except PayloadInvalid as refused:
        return refused.problem
    return None


@SLOW
@given(st.data())
def test_what_the_encoder_accepts_is_valid(data: st.DataObject) -> None:
    case = data.draw(cases())
    natural, _ = data.draw(case.values)
    changed = data.draw(changes(natural))

    assert validates(case.schema, natural)
    if refusal(case.schema, changed) is None:
        assert validates(case.schema, changed)


@SLOW
@given(st.data())
def test_what_the_encoder_refuses_is_invalid_where_json_schema_can_express_it(
    data: st.DataObject,
) -> None:
    case = data.draw(cases())
    natural, _ = data.draw(case.values)
    changed = data.draw(changes(natural))

    problem = refusal(case.schema, changed)

    if problem is not None and not any(words in problem for words in INEXPRESSIBLE):
        assert not validates(case.schema, changed) or has_odd_number(changed)


def has_odd_number(value: Any) -> bool:
    """Whether it holds NaN or an infinity, which JSON has no form for, or a whole number with a
    point, which is an integer to JSON Schema."""
    if isinstance(value, dict):
        return any(map(has_odd_number, value.values()))
    if isinstance(value, list):
        return any(map(has_odd_number, value))
    return isinstance(value, float) and (not isfinite(value) or value.is_integer())


UUID = "9f0c0d0e-5d1b-4b0a-8a39-0d6f2f9a1c11"


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("int", [-(2**31), 2**31 - 1], [2**31, 1.5, "1", True, None]),
        ("long", [2**63 - 1], [2**63, -(2**63) - 1]),
        ("float", [3.4e38, 1], [3.5e38, -3.5e38, "1"]),
        ("boolean", [True], [0, "true"]),
        (
            "bytes",
            ["", "AA==", "AAA=", "AAAA", "AAAA\r\nAA=\n="],
            ["A", "AA=", "AAAA=", "A A=", "é"],
        ),
        (
            {"type": "fixed", "name": "F", "size": 4},
            ["AAAAAA==", "AAAA\nAA=="],
            ["AAAA", "AAAAAAA="],
        ),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, ["A"], ["C", "a", 0]),
        (
            logical("bytes", "decimal", precision=4, scale=2),
            ["12.50", "-0", "1", "99.99", "1.2000"],
            ["100", "1.234", "01.00", ".5", "1.", "+1", "1e1", 1, "NaN", "١"],
        ),
        (logical("bytes", "decimal", precision=2, scale=2), ["0.25"], ["1.00"]),
        (logical("bytes", "decimal", precision=2, scale=0), ["12", "12.0"], ["123", "1.5"]),
        (logical("string", "uuid"), [UUID, UUID.upper()], [UUID[1:], UUID.replace("-", ""), 5]),
        (logical("int", "date"), ["2026-01-31"], ["2026-13-01", "2026-1-31", "2026-01-32"]),
        (logical("int", "time-millis"), ["23:59:59.9999"], ["24:00:00", "12:00", "12:00:00."]),
        (
            logical("long", "timestamp-micros"),
            ["2026-01-31T12:00:00Z", "2026-01-31t12:00:00.1234567+02:00", "2026-01-31 12:00:00+02"],
            ["2026-01-31T12:00:00", "2026-01-31T12:00:00+0200", "2026-01-31T12:00:00.Z", 0],
        ),
        (
            logical("long", "local-timestamp-micros"),
            ["2026-01-31T12:00:00"],
            ["2026-01-31T12:00:00Z"],
        ),
        (["null", "long", "string"], [None, 1, "x"], [1.5, [], {}]),
        ({"type": "map", "values": "int"}, [{}, {"a": 1}], [{"a": "1"}, []]),
        ({"type": "array", "items": "int"}, [[], [1]], [["1"], {}, 1]),
    ],
)
def test_encoder_and_json_schema_agree(type_: Any, good: list[Any], bad: list[Any]) -> None:
    schema = of(type_)

    for value in good:
        assert refusal(schema, {"x": value}) is None, value
        assert validates(schema, {"x": value}), value
    for value in bad:
        assert refusal(schema, {"x": value}) is not None, value
        assert not validates(schema, {"x": value}), value


def test_a_field_with_a_default_is_optional_and_an_unknown_one_is_refused() -> None:
    schema = of(logical("bytes", "decimal", precision=4, scale=2), default="\u0001")

    assert payload_schema(schema)["properties"]["x"]["default"] == "0.01"
    assert validates(schema, {})
    assert not validates(schema, {"y": 1})
    assert not validates(of("int"), {})


def test_a_recursive_record_refers_to_itself() -> None:
    tree = of({"type": "array", "items": "R"}, default=[])
    forest = {"type": "record", "name": "Forest", "fields": [{"name": "tree", "type": tree}]}

    assert validates(tree, {"x": [{"x": []}, {}]})
    assert not validates(tree, {"x": [{"y": []}]})
    assert validates(forest, {"tree": {"x": [{"x": []}]}})
    assert not validates(forest, {"tree": {"x": [1]}})


def test_docs_and_properties_of_fields_are_kept() -> None:
    field = payload_schema(of("string", doc="Who.", pii=True))["properties"]["x"]

    assert field == {"type": "string", "description": "Who.", "x-pii": True}


def test_every_version_of_the_shipped_catalog_has_a_correct_schema_with_a_name_of_its_own() -> None:
    schemas = [schema_of_version(version) for version in Catalog.load(SHIPPED).versions()]

    for schema in schemas:
        Draft202012Validator.check_schema(schema)
    assert len({schema["$id"] for schema in schemas}) == len(schemas)
