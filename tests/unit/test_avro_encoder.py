"""Strict validation: what fastavro would take in silence is refused by name and place (H34)."""

from __future__ import annotations

import re
from base64 import b64encode, encodebytes
from decimal import Decimal
from math import inf, nan
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.errors import CatalogInvalid, PayloadInvalid
from relay.schema.avro.decoder import compile_decoder
from relay.schema.avro.encoder import compile_encoder, compile_text_encoder
from relay.schema.avro.varint import long_bytes

NOTE = {"name": "note", "type": ["null", "string"], "default": None}


def record(*fields: Any) -> dict[str, Any]:
    return {"type": "record", "name": "shop.Paid", "fields": list(fields)}


def of(type_: Any, **rest: Any) -> dict[str, Any]:
    return record({"name": "x", "type": type_, **rest})


def logical(kind: str, logical_type: str, **rest: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": logical_type, **rest}


def refusal(schema: Any, value: Any) -> PayloadInvalid:
    with pytest.raises(PayloadInvalid) as caught:
        compile_encoder(schema)(value)
    return caught.value


def test_a_misspelt_field_with_a_default_is_refused_not_lost() -> None:
    schema = record({"name": "id", "type": "string"}, NOTE)

    error = refusal(schema, {"id": "1", "ntoe": "leave at the door"})

    assert error.path == "$.ntoe"
    assert "unknown field" in error.problem
    assert "id, note" in error.problem


def test_extra_fields_are_refused() -> None:
    assert refusal(of("int"), {"x": 1, "y": 2}).path == "$.y"


def test_a_missing_field_without_default_is_refused() -> None:
    error = refusal(record({"name": "id", "type": ["null", "string"]}, NOTE), {"note": None})

    assert error.path == "$.id"
    assert "missing field" in error.problem


@pytest.mark.parametrize("value", [2**40, 2**31, -(2**31) - 1])
def test_a_number_beyond_32_bits_is_out_of_range_for_int(value: int) -> None:
    assert "out of range for int" in refusal(of("int"), {"x": value}).problem


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**30])
def test_a_number_beyond_64_bits_is_out_of_range_for_long(value: int) -> None:
    assert "out of range for long" in refusal(of("long"), {"x": value}).problem


@pytest.mark.parametrize("kind", ["int", "long"])
@pytest.mark.parametrize("value", [1.9, 1.0, "1", True, False, None])
def test_only_whole_numbers_are_integers_not_floats_and_not_booleans(kind: str, value: Any) -> None:
    assert f"not a valid {kind}" in refusal(of(kind), {"x": value}).problem


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_integers_are_not_booleans(value: Any) -> None:
    assert refusal(of("boolean"), {"x": value}).path == "$.x"


@pytest.mark.parametrize("kind", ["float", "double"])
@pytest.mark.parametrize("value", [nan, inf, -inf, True, "1.5", 2**53 + 1])
def test_floating_numbers_are_finite_and_exact_when_they_are_whole(kind: str, value: Any) -> None:
    assert refusal(of(kind), {"x": value}).path == "$.x"


@pytest.mark.parametrize("value", [3, 10**17, 2**53 + 2, 2**64, 2**64 + 2**12, -(2**1000)])
def test_a_whole_number_that_a_double_holds_may_stand_for_it(value: int) -> None:
    schema = of("double")

    found = compile_decoder(schema)(compile_encoder(schema)({"x": value}))["x"]
    assert (type(found), found) == (float, value)
    of_text = compile_text_encoder(schema)(f'{{"x": {value}}}')
    assert compile_decoder(schema)(of_text) == {"x": value}


@pytest.mark.parametrize(
    "digits", ["9007199254740993", "18446744073709551617", f"1{'0' * 23}", f"1{'0' * 400}"]
)
def test_a_whole_number_that_no_double_holds_is_refused_at_any_size(digits: str) -> None:
    with pytest.raises(PayloadInvalid, match=r"\$\.x: .*(not exact as|out of range for) double"):
        compile_text_encoder(of("double"))(f'{{"x": {digits}}}')


def test_a_long_number_in_a_text_is_not_a_number() -> None:
    text = f'{{"x": "{"9" * 40}"}}'

    schema = record({"name": "x", "type": "string"}, {"name": "y", "type": "float", "default": 0})
    assert compile_text_encoder(schema)(text.encode()) == compile_encoder(schema)({"x": "9" * 40})


def test_a_double_too_large_for_a_float_is_refused() -> None:
    assert "out of range for float" in refusal(of("float"), {"x": 1e300}).problem


@pytest.mark.parametrize(
    "value",
    [
        "garbage",
        "9f0c0d0e5d1b4b0a8a390d6f2f9a1c11",
        "{9f0c0d0e-5d1b-4b0a-8a39-0d6f2f9a1c11}",
        "urn:uuid:9f0c0d0e-5d1b-4b0a-8a39-0d6f2f9a1c11",
        "9f0c0d0e-5d1b-4b0a-8a39-0d6f2f9a1c1g",
        "9f0c0d0e-5d1b-4b0a-8a39-0d6f2f9a1c11 ",
        7,
    ],
)
@pytest.mark.parametrize(
    "type_",
    [logical("string", "uuid"), logical("fixed", "uuid", name="Id", size=16)],
    ids=["string", "fixed"],
)
def test_strings_that_are_not_uuids_are_refused(type_: Any, value: Any) -> None:
    assert "not a uuid" in refusal(of(type_), {"x": value}).problem


def test_a_uuid_is_written_in_lower_case() -> None:
    schema = of(logical("string", "uuid"))
    value = "9F0C0D0E-5D1B-4B0A-8A39-0D6F2F9A1C11"

    assert compile_decoder(schema)(compile_encoder(schema)({"x": value})) == {"x": value.lower()}


@pytest.mark.parametrize(
    "value",
    [
        "12.505",
        "10000000000.00",
        12.5,
        12,
        "1e2",
        "+1",
        "01",
        ".5",
        "5.",
        "1_0",
        " 1",
        "NaN",
        "",
        "-",
    ],
)
@pytest.mark.parametrize(
    "type_",
    [
        logical("bytes", "decimal", precision=12, scale=2),
        logical("fixed", "decimal", precision=12, scale=2, name="D", size=8),
    ],
    ids=["bytes", "fixed"],
)
def test_a_decimal_is_a_string_that_fits_without_rounding(type_: Any, value: Any) -> None:
    assert refusal(of(type_), {"x": value}).path == "$.x"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("12.50", "12.50"),
        ("12.5", "12.50"),
        ("12.500", "12.50"),
        ("0", "0.00"),
        ("-0.01", "-0.01"),
        ("-1.28", "-1.28"),
        ("1.28", "1.28"),
        ("-9999999999.99", "-9999999999.99"),
    ],
)
def test_a_decimal_has_all_places_of_its_scale(value: str, shown: str) -> None:
    schema = of(logical("bytes", "decimal", precision=12, scale=2))

    assert compile_decoder(schema)(compile_encoder(schema)({"x": value})) == {"x": shown}


@given(st.text("0123456789.-+ e_\u0663\u00b2", max_size=8), st.integers(0, 3))
@example("1.", 0)
@example("01.50", 2)
@example(".50", 2)
def test_strings_that_are_not_plain_decimals_are_refused(text: str, scale: int) -> None:
    schema = of(logical("bytes", "decimal", precision=5, scale=scale))
    plain = re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", text)
    if (
        plain
        and abs(number := Decimal(text)) < 10 ** (5 - scale)
        and round(number, scale) == number
    ):
        decoded = compile_decoder(schema)(compile_encoder(schema)({"x": text}))
        assert Decimal(decoded["x"]) == number
    else:
        assert refusal(schema, {"x": text}).path == "$.x"


@pytest.mark.parametrize("value", ["RED", "card", 0, None])
def test_a_symbol_that_the_enum_lacks_is_refused_also_with_a_default(value: Any) -> None:
    enum = {"type": "enum", "name": "M", "symbols": ["CARD", "OTHER"], "default": "OTHER"}

    assert "not one of CARD, OTHER" in refusal(of(enum), {"x": value}).problem


@pytest.mark.parametrize("value", ["A", "AA=", "AA", "A A=", "AAAA=", "é", 5, "AA\n"])
def test_bytes_are_base64(value: Any) -> None:
    assert "base64" in refusal(of("bytes"), {"x": value}).problem


def test_base64_may_be_broken_into_lines() -> None:
    data = bytes(range(200))
    schema = of("bytes")

    encoded = compile_encoder(schema)({"x": encodebytes(data).decode()})

    assert encoded == compile_encoder(schema)({"x": b64encode(data).decode()})
    assert compile_encoder(schema)({"x": "AA=\r\n=\r\n"}) == b"\x02\x00"


def test_a_fixed_has_its_size() -> None:
    error = refusal(of({"type": "fixed", "name": "F", "size": 3}), {"x": "AAAA" * 2})

    assert "6 bytes, the schema requires 3" in error.problem


def test_the_path_leads_through_arrays_maps_and_records() -> None:
    line = {"type": "record", "name": "Line", "fields": [{"name": "count", "type": "int"}]}
    schema = of({"type": "array", "items": {"type": "map", "values": ["null", line]}})

    error = refusal(schema, {"x": [{}, {"a": None, "b": {"count": "3"}}]})

    assert error.path == "$.x[1]['b'].count"


@pytest.mark.parametrize("value", [None, [], "x", 5])
def test_a_payload_that_is_not_an_object_is_refused(value: Any) -> None:
    assert refusal(of("int"), value).path == "$"


def test_a_field_with_a_default_may_be_absent() -> None:
    schema = record(
        {"name": "n", "type": "int", "default": 7},
        {"name": "tags", "type": {"type": "array", "items": "string"}, "default": ["a"]},
        {"name": "at", "type": logical("long", "timestamp-millis"), "default": 0},
        {"name": "raw", "type": "bytes", "default": "\u00ff"},
        NOTE,
    )

    assert compile_decoder(schema)(compile_encoder(schema)({})) == {
        "n": 7,
        "tags": ["a"],
        "at": "1970-01-01T00:00:00Z",
        "raw": "/w==",
        "note": None,
    }


def test_null_is_not_the_same_as_absent() -> None:
    assert refusal(of("int", default=7), {"x": None}).path == "$.x"


def test_long_strings_and_numbers_of_every_size_are_encoded() -> None:
    schema = of({"type": "array", "items": ["string", "long"]})
    value = {
        "x": ["ä" * 5000, "x" * 8191, "x" * 8192, *(s * 2**n for n in range(63) for s in (1, -1))]
    }

    assert compile_decoder(schema)(compile_encoder(schema)(value)) == value


def test_a_union_takes_the_branch_that_fits() -> None:
    schema = of(["null", "boolean", "int", "double", "string", {"type": "array", "items": "int"}])
    values = [None, True, 1, 1.5, 2**40, "1", [1]]

    decoded = [compile_decoder(schema)(compile_encoder(schema)({"x": v}))["x"] for v in values]

    assert decoded == [None, True, 1, 1.5, float(2**40), "1", [1]]
    assert [type(v) for v in decoded[2:5]] == [int, float, float]


def test_an_ambiguous_union_is_refused() -> None:
    schema = of(["string", logical("long", "timestamp-micros")])

    assert compile_encoder(schema)({"x": "free text"})
    assert "ambiguous" in refusal(schema, {"x": "2026-01-31T12:00:00Z"}).problem


def test_records_of_a_union_are_distinguished_by_their_fields() -> None:
    branches = [
        {"type": "record", "name": name, "fields": [{"name": field, "type": "int"}]}
        for name, field in (("A", "a"), ("B", "b"))
    ]
    schema = of(branches)

    assert compile_encoder(schema)({"x": {"b": 3}}) == b"\x02\x06"
    assert "none of shop.A, shop.B" in refusal(schema, {"x": {"c": 3}}).problem


def test_a_recursive_record_is_encoded_unless_it_nests_too_deeply() -> None:
    schema = record({"name": "next", "type": ["null", "shop.Paid"]})
    value: dict[str, Any] = {"next": None}
    for _ in range(50):
        value = {"next": value}

    assert compile_decoder(schema)(compile_encoder(schema)(value)) == value
    for _ in range(5000):
        value = {"next": value}
    assert "too deeply" in refusal(schema, value).problem


def test_recursive_types_nest_200_levels_at_most_in_what_is_encoded() -> None:
    schema = record({"name": "next", "type": ["null", "shop.Paid"]})
    value: dict[str, Any] = {"next": None}
    for _ in range(199):
        value = {"next": value}

    assert compile_decoder(schema)(compile_encoder(schema)(value)) == value
    assert "200 levels" in refusal(schema, {"next": value}).problem


def test_a_surrogate_is_not_a_valid_string() -> None:
    assert "not valid Unicode" in refusal(of("string"), {"x": "\ud800"}).problem


@pytest.mark.parametrize(
    ("type_", "message"),
    [
        ("nowhere.Known", '"nowhere.Known" is not known'),
        (["string", logical("string", "uuid")], "the union has 'string' twice"),
        ({"type": "enum", "name": "E", "symbols": []}, "symbols"),
    ],
)
def test_a_schema_that_can_not_be_encoded_is_refused_with_its_place(
    type_: Any, message: str
) -> None:
    with pytest.raises(CatalogInvalid, match=message) as caught:
        compile_encoder(of(type_))

    assert str(caught.value).startswith("$.fields[0].type")


@pytest.mark.parametrize(
    "type_",
    [
        logical("fixed", "duration", name="D", size=12),
        logical("fixed", "decimal", precision=30, scale=2, name="D", size=12),
        logical("fixed", "uuid", name="D", size=12),
        logical("bytes", "decimal", precision=2, scale=3),
        logical("bytes", "decimal", precision=0),
        logical("bytes", "decimal", precision="9"),
        logical("bytes", "decimal"),
        logical("bytes", "big-decimal"),
    ],
)
def test_a_logical_type_that_can_not_be_is_ignored(type_: Any) -> None:
    value = {"x": "AAAAAAAAAAAAAAAA"}

    assert compile_decoder(of(type_))(compile_encoder(of(type_))(value)) == value


def test_a_default_that_does_not_fit_its_type_is_refused() -> None:
    with pytest.raises(CatalogInvalid, match="default"):
        compile_encoder(of("int", default="seven"))


def test_an_unknown_logical_type_means_its_physical_type() -> None:
    schema = of(logical("string", "colour"))

    assert compile_decoder(schema)(compile_encoder(schema)({"x": "red"})) == {"x": "red"}


@pytest.mark.parametrize(
    "value",
    ["1" * 5000, "1" * 5000 + ".00", "0." + "1" * 5000, "-" + "9" * 100_000, "1" + "0" * 641],
)
def test_a_decimal_of_more_digits_than_python_reads_is_refused_by_their_number(value: str) -> None:
    schema = of(logical("bytes", "decimal", precision=18, scale=2))

    refused = refusal(schema, {"x": value})

    assert refused.path == "$.x"
    assert re.search("out of range|decimal places", refused.problem)
    assert len(refused.problem) < 200


@pytest.mark.parametrize("digits", [640, 641, 4300, 4301, 10_000])
@pytest.mark.parametrize("scale", [0, 2])
def test_a_decimal_may_have_all_the_digits_of_its_precision(digits: int, scale: int) -> None:
    schema = of(logical("bytes", "decimal", precision=digits, scale=scale))
    text = "-" + "7" * (digits - scale) + ("." + "8" * scale if scale else "")

    assert compile_decoder(schema)(compile_encoder(schema)({"x": text})) == {"x": text}
    assert "out of range" in refusal(schema, {"x": f"1{text[1:]}"}).problem


def test_a_decimal_of_more_digits_than_any_schema_has_is_not_read() -> None:
    schema = of(logical("bytes", "decimal", precision=10, scale=0))
    many = (10**10_001).to_bytes(5000, "big")

    with pytest.raises(PayloadInvalid, match="10,000 digits"):
        compile_decoder(schema)(long_bytes(len(many)) + many)


class Unwritable:
    """Can't be shown."""

    def __repr__(self) -> str:
        raise OSError("no")


@pytest.mark.parametrize("type_", ["int", "long", "float", "double", "string", "boolean", "null"])
@pytest.mark.parametrize("value", [10**5000, -(10**5000), Unwritable(), {10**5000: 1}], ids=type)
def test_values_whose_repr_fails_are_refused_by_path(type_: Any, value: Any) -> None:
    assert refusal(of(type_), {"x": value}).path == "$.x"


def test_a_key_whose_repr_fails_is_refused() -> None:
    assert refusal(of("int"), {10**5000: 1}).path == "$"
    assert refusal(of({"type": "map", "values": "int"}), {"x": {10**5000: 1}}).path == "$.x"
