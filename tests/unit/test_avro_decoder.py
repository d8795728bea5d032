"""Avro binary to natural JSON, and schema resolution to a reader's shape."""

from __future__ import annotations

import json
from base64 import b64encode
from io import BytesIO
from typing import Any

import pytest
from fastavro import schemaless_reader
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.errors import PayloadInvalid
from relay.schema.avro.decoder import compile_decoder, decode
from relay.schema.avro.depth import bytes_too_deep
from relay.schema.avro.encoder import compile_encoder
from relay.schema.avro.parse import read_schema
from tests.unit.avro_cases import cases

AT = {"type": "long", "logicalType": "timestamp-micros"}


def record(*fields: Any) -> dict[str, Any]:
    return {"type": "record", "name": "shop.Paid", "fields": list(fields)}


def field(name: str, type_: Any, **rest: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, **rest}


def test_bytes_of_another_schema_are_refused() -> None:
    encoded = compile_encoder(record(field("a", "string")))({"a": "hello"})

    with pytest.raises(PayloadInvalid, match="bytes follow"):
        compile_decoder(record(field("a", "int")))(encoded)
    with pytest.raises(PayloadInvalid, match="not of this schema"):
        compile_decoder(record(field("a", "string"), field("b", "string")))(encoded)


def test_bytes_that_are_cut_off_are_refused() -> None:
    schema = record(field("a", "string"), field("b", "string"))
    encoded = compile_encoder(schema)({"a": "hello", "b": "world"})

    for end in range(len(encoded)):
        with pytest.raises(PayloadInvalid):
            compile_decoder(schema)(encoded[:end])


def test_a_field_that_only_the_reader_has_gets_its_default_in_natural_json() -> None:
    amount = {"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2}
    reader = record(
        field("at", AT, default=1_000_000),
        field("fee", amount, default="\u007f"),
        field(
            "line", {"type": "record", "name": "L", "fields": [field("at", AT)]}, default={"at": 0}
        ),
        field("note", ["null", "string"], default=None),
        field("tags", {"type": "map", "values": amount}, default={"a": "\u0001"}),
    )

    assert decode(record(), reader, b"") == {
        "at": "1970-01-01T00:00:01Z",
        "fee": "1.27",
        "line": {"at": "1970-01-01T00:00:00Z"},
        "note": None,
        "tags": {"a": "0.01"},
    }


def test_a_field_that_only_the_writer_has_is_left_out() -> None:
    writer = record(field("a", "int"), field("gone", AT), field("b", "string"))
    encoded = compile_encoder(writer)({"a": 1, "gone": "2026-01-31T12:00:00Z", "b": "x"})

    assert decode(writer, record(field("b", "string")), encoded) == {"b": "x"}


def test_a_renamed_field_is_found_by_its_alias_and_a_renamed_record_too() -> None:
    writer = record(field("custId", "string"))
    reader = {
        "type": "record",
        "name": "shop.PaidNow",
        "aliases": ["shop.Paid"],
        "fields": [field("customerId", "string", aliases=["custId"])],
    }

    assert decode(writer, reader, compile_encoder(writer)({"custId": "c"})) == {"customerId": "c"}


def test_a_symbol_that_the_reader_lacks_becomes_its_default() -> None:
    def schema(*symbols: str) -> dict[str, Any]:
        enum = {"type": "enum", "name": "M", "symbols": list(symbols), "default": "OTHER"}
        return record(field("m", enum))

    writer = schema("CARD", "CRYPTO", "OTHER")
    encoded = compile_encoder(writer)({"m": "CRYPTO"})

    assert decode(writer, schema("CARD", "OTHER"), encoded) == {"m": "OTHER"}


def test_numbers_are_promoted() -> None:
    writer = record(field("n", "int"))

    assert decode(writer, record(field("n", "double")), compile_encoder(writer)({"n": 3})) == {
        "n": 3.0
    }


def test_schemas_that_can_not_be_resolved_are_refused() -> None:
    writer = record(field("n", "string"))

    with pytest.raises(PayloadInvalid):
        decode(writer, record(field("n", "int")), compile_encoder(writer)({"n": "x"}))
    with pytest.raises(PayloadInvalid):
        decode(writer, record(field("m", "int")), compile_encoder(writer)({"n": "x"}))


def test_a_timestamp_in_another_unit_is_the_same_time() -> None:
    writer = record(field("at", {"type": "long", "logicalType": "timestamp-millis"}))
    encoded = compile_encoder(writer)({"at": "2026-01-31T12:00:00.5Z"})

    assert decode(writer, record(field("at", AT)), encoded) == {"at": "2026-01-31T12:00:00.500000Z"}


def test_decimals_longer_than_28_digits_are_not_rounded() -> None:
    schema = record(
        field("d", {"type": "bytes", "logicalType": "decimal", "precision": 40, "scale": 5})
    )
    value = {"d": "12345678901234567890123456789012345.67891"}

    assert compile_decoder(schema)(compile_encoder(schema)(value)) == value


def test_other_users_of_fastavro_keep_its_conversions() -> None:
    schema = record(field("at", AT))
    encoded = compile_encoder(schema)({"at": "2026-01-31T12:00:00Z"})
    compile_decoder(schema)(encoded)

    value: Any = schemaless_reader(BytesIO(encoded), schema)
    assert value["at"].year == 2026


def deep(levels: int, *, text: bytes = b"") -> bytes:
    """A chain of records; each holds a map with one text, the next one, and an empty list."""
    return (
        (b"\x02\x02k" + bytes([2 * len(text)]) + text + b"\x00\x02") * levels
        + b"\x00\x00"
        + (b"\x00" * levels)
    )


CHAIN = record(
    field("texts", {"type": "map", "values": "string"}),
    field("next", ["null", "shop.Paid"]),
    field("rest", {"type": "array", "items": "shop.Paid"}),
)


def test_bytes_that_nest_endlessly_are_refused_and_do_not_crash_the_process() -> None:
    # C code that calls itself for each level has no more room for this.
    for levels in (1_001, 20_000, 100_000):
        encoded = deep(levels) + b"\x00"
        with pytest.raises(PayloadInvalid, match="nested beyond 1000 levels"):
            compile_decoder(CHAIN)(encoded)
        with pytest.raises(PayloadInvalid, match="nested beyond 1000 levels"):
            decode(CHAIN, record(field("texts", {"type": "map", "values": "string"})), encoded)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_levels_are_counted_whatever_comes_before_them(data: st.DataObject) -> None:
    case = data.draw(cases())
    values = [natural for natural, _ in data.draw(st.lists(case.values, max_size=3))]
    schema = record(
        field("values", {"type": "array", "items": case.schema}),
        field("next", ["null", "shop.Paid"]),
    )
    # Without the last byte, which says that nothing comes next.
    before = compile_encoder(schema)({"values": values, "next": None})[:-1]

    def chain(levels: int) -> bytes:
        return before + b"\x02\x00" * levels + b"\x00"

    assert len(compile_decoder(schema)(chain(998))["values"]) == len(values)
    with pytest.raises(PayloadInvalid, match="nested beyond 1000 levels"):
        compile_decoder(schema)(chain(1_000))


def test_any_number_of_values_without_bytes_takes_no_time() -> None:
    nothing = record(
        field("nulls", {"type": "array", "items": "null"}), field("next", ["null", "shop.Paid"])
    )
    claimed = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01" + b"\x00\x00" + b"\x00" * 2000

    assert not bytes_too_deep(read_schema(nothing), claimed)


def test_many_values_side_by_side_do_not_count_as_nested() -> None:
    leaf = b"\x00\x00\x00"
    wide = b"\x00\x00" + b"\xa0\x1f" + leaf * 2000 + b"\x00"
    written = compile_decoder(CHAIN)(wide)

    assert len(written["rest"]) == 2000
    assert compile_decoder(CHAIN)(deep(900, text=b"text") + b"\x00")["texts"] == {"k": "text"}


def test_a_timestamp_beyond_the_year_9999_is_refused_with_a_reason() -> None:
    encoded = compile_encoder(record(field("at", "long")))({"at": 2**62})

    with pytest.raises(PayloadInvalid, match="not of this schema"):
        compile_decoder(record(field("at", AT)))(encoded)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("string", "x"),
        (AT, "2026-01-31T12:00:00.500000Z"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, "-12.50"),
        ({"type": "enum", "name": "M", "symbols": ["A", "B"]}, "B"),
        (
            {"type": "record", "name": "L", "fields": [field("at", AT)]},
            {"at": "2026-01-31T12:00:00Z"},
        ),
        ({"type": "array", "items": AT}, ["2026-01-31T12:00:00Z"]),
    ],
)
def test_a_field_may_become_optional(type_: Any, value: Any) -> None:
    writer = record(field("x", type_))
    reader = record(field("x", ["null", type_], default=None))
    encoded = compile_encoder(writer)({"x": value})

    assert decode(writer, reader, encoded) == {"x": value}
    assert decode(reader, writer, compile_encoder(reader)({"x": value})) == {"x": value}
    with pytest.raises(PayloadInvalid):
        decode(reader, writer, compile_encoder(reader)({"x": None}))


def test_fields_in_another_order_keep_their_values() -> None:
    writer = record(field("source", "string"), field("target", "string"))
    reader = record(field("target", "string"), field("source", "string"))
    value = {"source": "A", "target": "B"}

    assert decode(writer, reader, compile_encoder(writer)(value)) == value


def test_between_equal_types_defaults_and_docs_of_the_reader_change_nothing() -> None:
    written = record(
        {"name": "a", "type": {"type": "enum", "name": "E", "symbols": ["X", "Y"]}, "default": "X"},
        {"name": "n", "type": ["null", "int"], "default": None},
    )
    read = json.loads(json.dumps(written))
    read["doc"] = "What readers write of it."
    read["fields"][0]["default"] = "Y"
    read["fields"][1] |= {"doc": "A number."}
    del read["fields"][1]["default"]
    encoded = compile_encoder(written)({"a": "Y", "n": 7})
    assert decode(written, read, encoded) == {"a": "Y", "n": 7}
    with pytest.raises(PayloadInvalid):
        decode(written, read, encoded + b"\0")


MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
DATE = {"type": "int", "logicalType": "date"}
UUID_TEXT = "9f0c0d0e-5d1b-4b0a-8a39-0d6f2f9a1c11"
PRICE = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}


@pytest.mark.parametrize(
    ("written", "value", "read", "found"),
    [
        ("string", "abcd", "bytes", "YWJjZA=="),
        ("bytes", "YWJjZA==", "string", "abcd"),
        ("long", 1500, MILLIS, "1970-01-01T00:00:01.500Z"),
        ("int", 1500, MILLIS, "1970-01-01T00:00:01.500Z"),
        ("int", 31, DATE, "1970-02-01"),
        ("bytes", "BNI=", PRICE, "12.34"),
        (MILLIS, "1970-01-01T00:00:01.500Z", "long", 1500),
        (MILLIS, "1970-01-01T00:00:01.500Z", "double", 1500.0),
        (DATE, "1970-02-01", MILLIS, "1970-01-01T00:00:00.031Z"),
        (PRICE, "12.34", "bytes", "BNI="),
        ("string", UUID_TEXT, {"type": "string", "logicalType": "uuid"}, UUID_TEXT),
        ({"type": "string", "logicalType": "uuid"}, UUID_TEXT, "bytes", None),
        ("long", 9007199254740993, ["null", "double", "long"], 9007199254740993),
        (["int", "long"], 9007199254740993, ["double", "long"], 9007199254740993),
        ("int", 7, ["double", "long", "float"], 7.0),
        ("bytes", "YWJjZA==", ["null", "string", "bytes"], "YWJjZA=="),
        (["string", "bytes"], "zzzz!", ["bytes", "string"], "zzzz!"),
        ("long", 2**62 + 2**38 + 1, "float", float(2**62 + 2**39)),
    ],
)
def test_the_reader_gets_what_javas_reader_gets(
    written: Any, value: Any, read: Any, found: Any
) -> None:
    writer, reader = record(field("x", written)), record(field("x", read))
    decoded = decode(writer, reader, compile_encoder(writer)({"x": value}))

    if found is None:
        found = b64encode(value.encode()).decode()
    assert repr(decoded) == repr({"x": found})


def test_a_decimal_of_another_scale_is_the_same_number_or_refused() -> None:
    writer = record(field("x", PRICE))
    wider, narrower = (record(field("x", {**PRICE, "scale": scale})) for scale in (4, 1))
    encode = compile_encoder(writer)

    assert decode(writer, wider, encode({"x": "12.34"})) == {"x": "12.3400"}
    assert decode(writer, narrower, encode({"x": "12.30"})) == {"x": "12.3"}
    with pytest.raises(PayloadInvalid, match=r"\$\.x: 12\.34 has more than 1 decimal places"):
        decode(writer, narrower, encode({"x": "12.34"}))


def test_what_the_reader_can_not_have_is_refused_with_its_place() -> None:
    lines = {"type": "array", "items": {"type": "map", "values": "string"}}
    dates = {"type": "array", "items": {"type": "map", "values": "bytes"}}
    writer, reader = record(field("x", dates)), record(field("x", lines))
    encoded = compile_encoder(writer)({"x": [{}, {"a": "AAA="}, {"b": "/w=="}]})

    with pytest.raises(PayloadInvalid) as refused:
        decode(writer, reader, encoded)
    assert refused.value.path == "$.x[2].b"
    assert refused.value.problem == "these bytes are not UTF-8 text"


def test_an_alias_renames_the_writers_field() -> None:
    writer = record(field("a", "int"))
    reader = record(field("a", "int", default=0), field("b", "int", aliases=["a"]))

    assert decode(writer, reader, compile_encoder(writer)({"a": 5})) == {"a": 0, "b": 5}


def test_values_of_recursive_types_are_resolved_200_levels_deep() -> None:
    link = field("next", ["null", "shop.Paid"], default=None)
    writer, reader = record(field("n", "int"), link), record(field("n", "long"), link)
    value: dict[str, Any] = {"n": 0, "next": None}
    for number in range(1, 199):
        value = {"n": number, "next": value}

    assert decode(writer, reader, compile_encoder(writer)(value)) == value
