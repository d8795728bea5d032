"""Errors name the place and the type of a value that does not fit, and never show the value."""

from __future__ import annotations

from typing import Any

import pytest

from relay.errors import PayloadInvalid, located
from relay.schema.avro.encoder import compile_encoder

# Personal data, in the forms that a value can have.
SECRET = "4711471147114711"
VALUES: list[Any] = [
    SECRET,
    f"{SECRET}.5",
    f"2026-01-31T00:00:00.{SECRET}Z",
    f"2026-01-31T{SECRET}",
    f"23:59:59.{SECRET}",
    f"23:59:59.{SECRET}Z",
    "4711-47-11",
    "4711-47-11T47:11:47Z",
    "47:11:47",
    int(SECRET),
    int(SECRET) * 10**20,
    float(SECRET) / 3,
    [SECRET],
    {"a": SECRET},
    [[SECRET], {"a": int(SECRET)}],
    f"\ud800{SECRET}",
]
TYPES: list[Any] = [
    *("null", "boolean", "int", "long", "float", "string", "bytes"),
    {"type": "enum", "name": "Color", "symbols": ["RED"]},
    {"type": "fixed", "name": "Four", "size": 4},
    {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2},
    {"type": "string", "logicalType": "uuid"},
    {"type": "int", "logicalType": "date"},
    {"type": "int", "logicalType": "time-millis"},
    {"type": "long", "logicalType": "timestamp-millis"},
    {"type": "long", "logicalType": "timestamp-nanos"},
    {"type": "long", "logicalType": "local-timestamp-micros"},
    {"type": "array", "items": "boolean"},
    {"type": "map", "values": "boolean"},
    {"type": "record", "name": "Inner", "fields": [{"name": "a", "type": "boolean"}]},
    ["null", "boolean"],
    ["int", {"type": "enum", "name": "Other", "symbols": ["RED"]}],
    ["string", "bytes"],
]


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_a_value_that_does_not_fit_is_not_in_the_error(kind: Any) -> None:
    schema = {"type": "record", "name": "Event", "fields": [{"name": "field", "type": kind}]}
    encode = compile_encoder(schema)
    errors = []
    for value in VALUES:
        try:
            encode({"field": value})
        except PayloadInvalid as error:
            errors.append(str(error))
    assert errors or kind == "string"
    for error in errors:
        assert error.startswith("$.field")
        assert not any(part in error for part in ("4711", "47-11", "47:11"))


def test_an_unexpected_error_is_named_by_its_class_and_its_place_in_the_code() -> None:
    try:
        int(f"no number, {SECRET}")
    except ValueError as error:
        named = located(error)
    assert named.startswith("ValueError at test_errors_without_values.py:")
    assert SECRET not in named
