"""Dates and times in payloads: which texts are taken, and what they are in the bytes."""

from __future__ import annotations

from typing import Any

import pytest

from relay.schema.avro.decoder import compile_decoder
from relay.schema.avro.encoder import compile_encoder
from tests.unit.test_avro_encoder import logical, of, refusal


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
        "2026-01-31  12:00:00Z",
        "2026-02-30T12:00:00.000000Z",
        "2026-01-31T24:00:00.000000Z",
        "2026-01-31T12:00:60.000000Z",
        "2026-01-31T12:00:00.000000+25:00",
        "2026-01-31T12:00:00.000000+0200",
        "2026-01-31T12:00:00.000000+02:00:60",
        "2026-01-31T12:00:00,000000Z",
        "2026-W01-1T12:00:00.000000Z",
        "0000-01-31T12:00:00.000000Z",
        "",
        [],
        {},
    ],
)
def test_strings_that_are_not_rfc_3339_timestamps_are_refused(value: Any) -> None:
    assert refusal(of(logical("long", "timestamp-micros")), {"x": value}).path == "$.x"


@pytest.mark.parametrize("kind", ["timestamp", "local-timestamp"])
@pytest.mark.parametrize(
    ("unit", "value", "shown"),
    [
        ("millis", "2026-01-31T12:00:00.1239", "2026-01-31T12:00:00.123"),
        ("micros", "2026-01-31T12:00:00.1234569", "2026-01-31T12:00:00.123456"),
        ("nanos", "2026-01-31T12:00:00.1234567899", "2026-01-31T12:00:00.123456789"),
        ("millis", "1969-12-31T23:59:59.9999", "1969-12-31T23:59:59.999"),
    ],
)
def test_digits_of_a_timestamp_below_the_unit_are_cut(
    kind: str, unit: str, value: str, shown: str
) -> None:
    end = "Z" if kind == "timestamp" else ""
    schema = of(logical("long", f"{kind}-{unit}"))

    encoded = compile_encoder(schema)({"x": value + end})

    assert compile_decoder(schema)(encoded) == {"x": shown + end}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("2026-01-31 12:00:00.5+00", "2026-01-31T12:00:00.500Z"),
        ("2026-01-31 12:00:00-03:30", "2026-01-31T15:30:00Z"),
        ("1890-01-31 12:00:00+00:53:28", "1890-01-31T11:06:32Z"),
        ("1890-01-31T12:00:00-00:53:28", "1890-01-31T12:53:28Z"),
    ],
)
def test_timestamps_may_be_as_postgresql_writes_them(value: str, shown: str) -> None:
    schema = of(logical("long", "timestamp-millis"))

    assert compile_decoder(schema)(compile_encoder(schema)({"x": value})) == {"x": shown}


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


@pytest.mark.parametrize("value", ["2026-1-3", "2026-02-30", "20260203", "2026-02-03T00:00:00Z", 5])
def test_a_date_is_a_day_of_the_calendar(value: Any) -> None:
    assert refusal(of(logical("int", "date")), {"x": value}).path == "$.x"


@pytest.mark.parametrize("value", ["24:00:00", "12:00", "12:00:60", "12:00:00Z", "12:00:00."])
def test_a_time_of_day_is_one_of_the_clock(value: str) -> None:
    assert refusal(of(logical("int", "time-millis")), {"x": value}).path == "$.x"


def test_digits_of_a_time_of_day_below_the_unit_are_cut() -> None:
    schema = of(logical("int", "time-millis"))

    encoded = compile_encoder(schema)({"x": "12:00:00.1239"})

    assert compile_decoder(schema)(encoded) == {"x": "12:00:00.123"}


@pytest.mark.parametrize("unit", ["millis", "micros"])
@pytest.mark.parametrize("text", ["0001-01-01T00:59:59+01:00", "9999-12-31T23:59:59-05:00"])
def test_a_timestamp_outside_the_years_1_to_9999_in_utc_is_refused(unit: str, text: str) -> None:
    schema = of(logical("long", f"timestamp-{unit}"))

    assert "years 1 to 9999 in UTC" in refusal(schema, {"x": text}).problem


@pytest.mark.parametrize("unit", ["millis", "micros"])
@pytest.mark.parametrize("text", ["0001-01-01T01:00:00+01:00", "9999-12-31T18:59:59-05:00"])
def test_the_first_and_the_last_second_of_the_years_1_to_9999_are_read_back(
    unit: str, text: str
) -> None:
    schema = of(logical("long", f"timestamp-{unit}"))
    utc = {"0001-01-01T01:00:00+01:00": "0001-01-01T00:00:00Z"}.get(text, "9999-12-31T23:59:59Z")

    assert compile_decoder(schema)(compile_encoder(schema)({"x": text})) == {"x": utc}
