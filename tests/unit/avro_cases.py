"""Generated Avro schemas with values: natural JSON, and what fastavro calls the same value."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from hypothesis import strategies as st

__all__ = ["Case", "cases", "json_values", "schemas"]

EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Case:
    """A type with a strategy of (natural JSON, value as fastavro reads it)."""

    schema: Any
    values: st.SearchStrategy[tuple[Any, Any]]


def _same(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, Any]]:
    return values.map(lambda value: (value, value))


def _base64(data: bytes) -> tuple[str, bytes]:
    return b64encode(data).decode(), data


def _text_of(moment: datetime | time, digits: int) -> str:
    text = moment.isoformat(timespec="milliseconds" if digits == 3 else "microseconds")
    return text.removesuffix("." + "0" * digits)


def _timestamp(digits: int, local: bool) -> st.SearchStrategy[tuple[Any, Any]]:
    def pair(moment: datetime) -> tuple[str, datetime]:
        if digits == 3:
            moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        text = _text_of(moment, digits)
        return (text, moment) if local else (f"{text}Z", moment.replace(tzinfo=UTC))

    return st.datetimes().map(pair)


def _time(digits: int) -> st.SearchStrategy[tuple[Any, Any]]:
    def pair(moment: time) -> tuple[str, time]:
        if digits == 3:
            moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        return _text_of(moment, digits), moment

    return st.times().map(pair)


def _nanos(local: bool) -> st.SearchStrategy[tuple[Any, Any]]:
    def pair(value: int) -> tuple[str, int]:
        seconds, fraction = divmod(value, 10**9)
        text = (EPOCH + timedelta(seconds=seconds)).isoformat()
        tail = f".{fraction:09d}" if fraction else ""
        return f"{text}{tail}{'' if local else 'Z'}", value

    return st.integers(-(2**63), 2**63 - 1).map(pair)


@st.composite
def _decimals(draw: st.DrawFn, name: str) -> Case:
    precision = draw(st.integers(1, 30))
    scale = draw(st.integers(0, precision))
    schema: dict[str, Any] = {"type": "bytes"}
    if draw(st.booleans()):
        schema = {"type": "fixed", "name": name, "size": 14}
    schema |= {"logicalType": "decimal", "precision": precision, "scale": scale}
    bound = 10**precision - 1

    def pair(unscaled: int) -> tuple[str, Decimal]:
        digits = tuple(map(int, str(abs(unscaled))))
        value = Decimal((int(unscaled < 0), digits, -scale))
        return format(value, "f"), value

    return Case(schema, st.integers(-bound, bound).map(pair))


def _logical(kind: str, logical: str, values: st.SearchStrategy[tuple[Any, Any]]) -> Case:
    return Case({"type": kind, "logicalType": logical}, values)


SCALARS = [
    Case("null", _same(st.none())),
    Case("boolean", _same(st.booleans())),
    Case("int", _same(st.integers(-(2**31), 2**31 - 1))),
    Case("long", _same(st.integers(-(2**63), 2**63 - 1))),
    Case("float", _same(st.floats(width=32, allow_nan=False, allow_infinity=False))),
    Case("double", _same(st.floats(allow_nan=False, allow_infinity=False))),
    Case("string", _same(st.text() | st.text(min_size=60, max_size=70))),
    Case("bytes", st.binary().map(_base64)),
    _logical("int", "date", st.dates().map(lambda day: (day.isoformat(), day))),
    _logical("int", "time-millis", _time(3)),
    _logical("long", "time-micros", _time(6)),
    _logical("long", "timestamp-millis", _timestamp(3, False)),
    _logical("long", "timestamp-micros", _timestamp(6, False)),
    _logical("long", "timestamp-nanos", _nanos(False)),
    _logical("long", "local-timestamp-millis", _timestamp(3, True)),
    _logical("long", "local-timestamp-micros", _timestamp(6, True)),
    _logical("long", "local-timestamp-nanos", _nanos(True)),
    _logical("string", "uuid", st.uuids().map(lambda value: (str(value), value))),
]


@st.composite
def cases(draw: st.DrawFn, names: count[int] | None = None, depth: int = 3) -> Case:
    """A schema of any type, with the values that it can have."""
    numbers = names if names is not None else count()
    kinds = ["scalar"] * 4 + ["decimal", "enum", "fixed", "record"]
    kind = draw(st.sampled_from(kinds + ["record", "array", "map", "optional"] * (depth > 0)))
    name = f"N{next(numbers)}"
    if kind == "scalar":
        return draw(st.sampled_from(SCALARS))
    if kind == "decimal":
        return draw(_decimals(name))
    if kind == "enum":
        symbols = draw(st.lists(st.sampled_from("ABCDEF"), min_size=1, unique=True))
        schema = {"type": "enum", "name": name, "symbols": symbols}
        return Case(schema, _same(st.sampled_from(symbols)))
    if kind == "fixed":
        size = draw(st.integers(0, 5))
        sized: Any = {"type": "fixed", "name": name, "size": size}
        return Case(sized, st.binary(min_size=size, max_size=size).map(_base64))
    if kind == "record":
        return draw(_records(name, numbers, depth))
    inner = draw(cases(numbers, depth - 1))
    if kind == "array":
        lists = st.lists(inner.values, max_size=4)
        pairs = lists.map(lambda found: ([a for a, _ in found], [b for _, b in found]))
        return Case({"type": "array", "items": inner.schema}, pairs)
    if kind == "map":
        dicts = st.dictionaries(st.text(max_size=5), inner.values, max_size=4)
        found_pairs = dicts.map(
            lambda found: (
                {k: a for k, (a, _) in found.items()},
                {k: b for k, (_, b) in found.items()},
            )
        )
        return Case({"type": "map", "values": inner.schema}, found_pairs)
    if inner.schema == "null" or isinstance(inner.schema, list):
        return inner
    branches = ["null", inner.schema] if draw(st.booleans()) else [inner.schema, "null"]
    return Case(branches, st.just((None, None)) | inner.values)


@st.composite
def _records(draw: st.DrawFn, name: str, numbers: count[int], depth: int) -> Case:
    inner = draw(st.lists(cases(numbers, depth - 1), max_size=5 if depth > 0 else 1))
    fields = [{"name": f"f{n}", "type": case.schema} for n, case in enumerate(inner)]
    values = st.tuples(*(case.values for case in inner))

    def pair(found: tuple[tuple[Any, Any], ...]) -> tuple[dict[str, Any], dict[str, Any]]:
        return (
            {f"f{n}": natural for n, (natural, _) in enumerate(found)},
            {f"f{n}": value for n, (_, value) in enumerate(found)},
        )

    return Case({"type": "record", "name": name, "fields": fields}, values.map(pair))


def schemas() -> st.SearchStrategy[Any]:
    """Schemas alone."""
    return cases().map(lambda case: case.schema)


def json_values() -> st.SearchStrategy[Any]:
    """Any JSON value, with texts that come near to dates, decimals and the like."""
    near = st.sampled_from(
        [
            "", "A", "12.50", "1", "-0", "+1", "1e3", "1_0", " 1", "NaN", "١", "2026-01-31",
            "2026-1-3", "2026-W01-1", "20260131", "12:00:00", "12:00", "24:00:00",
            "12:00:00.1234", "2026-01-31T12:00:00.123456Z", "2026-01-31T12:00:00.123456+00:00",
            "2026-01-31T12:00:00.123456", "2026-01-31 12:00:00.123456Z",
            "2026-01-31T12:00:00,123456Z", "2026-01-31T12:00:00.123Z",
            "2026-01-31T12:00:00.12345١Z", "2026-02-31T12:00:00.123456Z",
            "2026-01-31T12:00:00.123456+02:00", "2026-01-31T12:00:60.123456Z", "AA==", "AA=",
            "AAAA", "9f0c0d0e-5d1b-4b0a-8a39-0d6f2f9a1c11",
            "9F0C0D0E-5D1B-4B0A-8A39-0D6F2F9A1C11", "{9f0c0d0e-5d1b-4b0a-8a39-0d6f2f9a1c11}",
            "9f0c0d0e5d1b4b0a8a390d6f2f9a1c11", "\ud800",
        ]
    )  # fmt: skip
    leaves = (
        st.none()
        | st.booleans()
        | st.integers(-(2**65), 2**65)
        | st.sampled_from([-1, 0, 1, 2**31 - 1, 2**31, -(2**31) - 1, 2**63 - 1, 2**63])
        | st.floats()
        | near
    )
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["f0", "f1", "f2", "x"]), inner, max_size=3)
        ),
        max_leaves=6,
    )
