"""Strict validation: what fastavro would take in silence is refused by name and place (H34)."""

from __future__ import annotations

import re
from decimal import Decimal
from math import inf, nan
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.errors import CatalogInvalid, PayloadInvalid
from relay.schema.avro.decoder import compile_decoder
from relay.schema.avro.encoder import compile_encoder
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
def test_only_whole_numbers_are_integers_no_floats_and_no_booleans(kind: str, value: Any) -> None:
    assert f"no {kind}" in refusal(of(kind), {"x": value}).problem


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_integers_are_no_booleans(value: Any) -> None:
    assert refusal(of("boolean"), {"x": value}).path == "$.x"


@pytest.mark.parametrize("kind", ["float", "double"])
@pytest.mark.parametrize("value", [nan, inf, -inf, True, "1.5", 2**53 + 1])
def test_floating_numbers_are_finite_and_exact_when_they_are_whole(kind: str, value: Any) -> None:
    assert refusal(of(kind), {"x": value}).path == "$.x"


def test_a_whole_number_may_stand_for_a_double() -> None:
    schema = of("double")

    assert compile_decoder(schema)(compile_encoder(schema)({"x": 3})) == {"x": 3.0}


def test_a_double_too_large_for_a_float_is_refused() -> None:
    assert "out of range for float" in refusal(of("float"), {"x": 1e300}).problem


@pytest.mark.parametrize("unit", ["millis", "micros", "nanos"])
@pytest.mark.parametrize(
    "value",
    ["2026-01-31T12:00:00", "2026-01-31T12:00:00.123456", "2026-01-31T12:00:00.123"],
)
def test_naive_datetimes_are_refused_not_taken_as_utc(unit: str, value: str) -> None:
    error = refusal(of(logical("long", f"timestamp-{unit}")), {"x": value})

    assert "naive datetime" in error.problem


@pytest.mark.parametrize(
    "value",
    [
        1706702400000,
        "2026-01-31",
        "2026-01-31 12:00:00Z",
        "2026-02-30T12:00:00.000000Z",
        "2026-01-31T24:00:00.000000Z",
        "2026-01-31T12:00:60.000000Z",
        "2026-01-31T12:00:00.000000+25:00",
        "2026-01-31T12:00:00.000000+0200",
        "2026-01-31T12:00:00,000000Z",
        "2026-W01-1T12:00:00.000000Z",
        "0000-01-31T12:00:00.000000Z",
        "",
        [],
        {},
    ],
)
def test_what_is_no_rfc_3339_timestamp_is_refused(value: Any) -> None:
    assert refusal(of(logical("long", "timestamp-micros")), {"x": value}).path == "$.x"


@pytest.mark.parametrize(
    ("unit", "value"),
    [("millis", "00.0001Z"), ("micros", "00.0000001Z"), ("nanos", "00.1234567891Z")],
)
def test_a_timestamp_finer_than_the_unit_is_refused_not_cut(unit: str, value: str) -> None:
    error = refusal(of(logical("long", f"timestamp-{unit}")), {"x": f"2026-01-31T12:00:{value}"})

    assert f"finer than the schema's {unit}" in error.problem


@pytest.mark.parametrize("unit", ["millis", "micros", "nanos"])
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("2026-01-31T12:00:00.500+02:00", "2026-01-31T10:00:00.5Z"),
        ("2026-01-31t12:00:00.5z", "2026-01-31T12:00:00.5Z"),
        ("1969-12-31T23:59:59.999-00:30", "1970-01-01T00:29:59.999Z"),
        ("1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00Z"),
        ("1901-02-03T04:05:06.007Z", "1901-02-03T04:05:06.007Z"),
        ("2261-02-03T04:05:06.007000Z", "2261-02-03T04:05:06.007Z"),
    ],
)
def test_timestamps_keep_their_instant(unit: str, value: str, shown: str) -> None:
    schema = of(logical("long", f"timestamp-{unit}"))

    decoded = compile_decoder(schema)(compile_encoder(schema)({"x": value}))["x"]

    head, _, fraction = decoded.removesuffix("Z").partition(".")
    assert f"{head}.{fraction.rstrip('0')}".removesuffix(".") + "Z" == shown


def test_a_local_timestamp_has_no_offset() -> None:
    schema = of(logical("long", "local-timestamp-micros"))

    assert "has an offset" in refusal(schema, {"x": "2026-01-31T12:00:00Z"}).problem


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
def test_uuid_garbage_is_refused(type_: Any, value: Any) -> None:
    assert "no uuid" in refusal(of(type_), {"x": value}).problem


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
def test_any_text_that_is_no_plain_decimal_is_refused(text: str, scale: int) -> None:
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

    assert "none of CARD, OTHER" in refusal(of(enum), {"x": value}).problem


@pytest.mark.parametrize("value", ["A", "AA=", "AA", "A A=", "AAAA=", "é", 5, "AA==\n"])
def test_bytes_are_base64(value: Any) -> None:
    assert "base64" in refusal(of("bytes"), {"x": value}).problem


def test_a_fixed_has_its_size() -> None:
    error = refusal(of({"type": "fixed", "name": "F", "size": 3}), {"x": "AAAA" * 2})

    assert "6 bytes, the schema says 3" in error.problem


@pytest.mark.parametrize("value", ["2026-1-3", "2026-02-30", "20260203", "2026-02-03T00:00:00Z", 5])
def test_a_date_is_a_day_of_the_calendar(value: Any) -> None:
    assert refusal(of(logical("int", "date")), {"x": value}).path == "$.x"


@pytest.mark.parametrize("value", ["24:00:00", "12:00", "12:00:60", "12:00:00Z", "12:00:00.0001"])
def test_a_time_of_day_is_finer_than_nothing_the_schema_has(value: str) -> None:
    assert refusal(of(logical("int", "time-millis")), {"x": value}).path == "$.x"


def test_the_path_leads_through_arrays_maps_and_records() -> None:
    line = {"type": "record", "name": "Line", "fields": [{"name": "count", "type": "int"}]}
    schema = of({"type": "array", "items": {"type": "map", "values": ["null", line]}})

    error = refusal(schema, {"x": [{}, {"a": None, "b": {"count": "3"}}]})

    assert error.path == "$.x[1]['b'].count"


@pytest.mark.parametrize("value", [None, [], "x", 5])
def test_a_payload_that_is_no_object_is_refused(value: Any) -> None:
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


def test_long_strings_and_numbers_of_every_size_go_through() -> None:
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


def test_records_of_a_union_are_told_apart_by_their_fields() -> None:
    branches = [
        {"type": "record", "name": name, "fields": [{"name": field, "type": "int"}]}
        for name, field in (("A", "a"), ("B", "b"))
    ]
    schema = of(branches)

    assert compile_encoder(schema)({"x": {"b": 3}}) == b"\x02\x06"
    assert "none of shop.A, shop.B" in refusal(schema, {"x": {"c": 3}}).problem


def test_a_recursive_record_goes_through_and_too_deep_a_one_is_refused() -> None:
    schema = record({"name": "next", "type": ["null", "shop.Paid"]})
    value: dict[str, Any] = {"next": None}
    for _ in range(50):
        value = {"next": value}

    assert compile_decoder(schema)(compile_encoder(schema)(value)) == value
    for _ in range(5000):
        value = {"next": value}
    assert "too deeply" in refusal(schema, value).problem


def test_what_the_encoder_takes_of_a_recursive_type_nests_200_levels_at_most() -> None:
    schema = record({"name": "next", "type": ["null", "shop.Paid"]})
    value: dict[str, Any] = {"next": None}
    for _ in range(199):
        value = {"next": value}

    assert compile_decoder(schema)(compile_encoder(schema)(value)) == value
    assert "200 levels" in refusal(schema, {"next": value}).problem


@pytest.mark.parametrize("unit", ["millis", "micros"])
@pytest.mark.parametrize("text", ["0001-01-01T00:59:59+01:00", "9999-12-31T23:59:59-05:00"])
def test_a_timestamp_whose_offset_leads_out_of_the_years_that_readers_know_is_refused(
    unit: str, text: str
) -> None:
    schema = of(logical("long", f"timestamp-{unit}"))

    assert "years 1 to 9999 in UTC" in refusal(schema, {"x": text}).problem


@pytest.mark.parametrize("unit", ["millis", "micros"])
@pytest.mark.parametrize("text", ["0001-01-01T01:00:00+01:00", "9999-12-31T18:59:59-05:00"])
def test_the_first_and_the_last_second_of_these_years_are_read_back(unit: str, text: str) -> None:
    schema = of(logical("long", f"timestamp-{unit}"))
    utc = {"0001-01-01T01:00:00+01:00": "0001-01-01T00:00:00Z"}.get(text, "9999-12-31T23:59:59Z")

    assert compile_decoder(schema)(compile_encoder(schema)({"x": text})) == {"x": utc}


def test_a_surrogate_is_no_text() -> None:
    assert "no Unicode text" in refusal(of("string"), {"x": "\ud800"}).problem


@pytest.mark.parametrize(
    ("type_", "message"),
    [
        (logical("fixed", "duration", name="D", size=12), "duration is not supported"),
        (logical("bytes", "decimal", precision=2, scale=3), "decimal"),
        (logical("bytes", "decimal"), "decimal"),
        (logical("fixed", "decimal", precision=12, scale=2, name="D", size=2), "4 digits"),
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


def test_a_default_that_does_not_fit_its_type_is_refused() -> None:
    with pytest.raises(CatalogInvalid, match="default"):
        compile_encoder(of("int", default="seven"))


def test_an_unknown_logical_type_means_the_type_below_it() -> None:
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
def test_values_that_python_can_not_write_are_refused_by_path(type_: Any, value: Any) -> None:
    assert refusal(of(type_), {"x": value}).path == "$.x"


def test_a_key_that_python_can_not_write_is_refused() -> None:
    assert refusal(of("int"), {10**5000: 1}).path == "$"
    assert refusal(of({"type": "map", "values": "int"}), {"x": {10**5000: 1}}).path == "$.x"
