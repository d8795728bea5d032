"""Events are refused when they are made, exactly where the strict encoder refuses them."""

from __future__ import annotations

from dataclasses import dataclass, fields, make_dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import StrEnum
from time import perf_counter
from typing import Any, ClassVar
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import schemas
from relay.errors import PayloadInvalid
from relay.events import DomainEvent, Part, checked
from relay.natural import natural
from relay.schema.avro.decoder import compile_decoder
from relay.schema.avro.encoder import compile_encoder
from schemas.orders.events import OrderCreated, OrderLine, order_created
from tests.unit.test_generate_events import paid, values_of

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Channel(StrEnum):
    """A text of another class."""

    WEB = "WEB"


class Nowhere(tzinfo):
    """A time zone that knows no offset."""

    def utcoffset(self, _: datetime | None) -> None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch(Part):
    """A record that holds itself."""

    children: list[Branch]


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked(Part):
    """A record with one of its own kind behind it."""

    next: Any


def types() -> list[Any]:
    """Avro types of every kind."""

    def logical(kind: str, name: str, **rest: Any) -> dict[str, Any]:
        return {"type": kind, "logicalType": name, **rest}

    decimal = logical("bytes", "decimal", precision=4, scale=2)
    return [
        "null", "boolean", "int", "long", "float", "double", "string", "bytes",
        {"type": "fixed", "name": "F", "size": 2},
        {"type": "enum", "name": "E", "symbols": ["A", "WEB"]},
        decimal,
        logical("bytes", "decimal", precision=2, scale=2),
        logical("bytes", "decimal", precision=30, scale=0),
        {**decimal, "type": "fixed", "name": "D", "size": 8},
        logical("string", "uuid"), logical("int", "date"),
        logical("int", "time-millis"), logical("long", "time-micros"),
        logical("long", "timestamp-millis"), logical("long", "timestamp-micros"),
        logical("long", "timestamp-nanos"), logical("long", "local-timestamp-millis"),
        logical("long", "local-timestamp-micros"), logical("long", "local-timestamp-nanos"),
        {"type": "array", "items": decimal}, {"type": "map", "values": "int"},
        ["null", "int"], ["string", "null"], ["null", "int", "string"], ["int", "double"],
        {
            "type": "record",
            "name": "Branch",
            "fields": [{"name": "children", "type": {"type": "array", "items": "Branch"}}],
        },
    ]  # fmt: skip


LEAVES = [
    None, True, 0, 1, -1, 2**31 - 1, 2**31, 2**63, 2**53 + 1, 10**400, 0.0, 1.5, 1e39, -3.4e38,
    float("nan"), float("inf"), "", "A", "WEB", "ünï", "\ud800", Channel.WEB, b"", b"ab", b"abc",
    bytearray(b"ab"), Decimal("0.25"), Decimal("-0"), Decimal("99.99"), Decimal("100"),
    Decimal("1.234"), Decimal("1.2000"), Decimal("1E+1"), Decimal("1E-3"), Decimal("NaN"),
    Decimal("sNaN"), Decimal("Infinity"), UUID(int=7), str(UUID(int=7)), date(2026, 1, 31),
    time(12), time(12, microsecond=1), time(12, tzinfo=UTC), NOW, NOW.replace(microsecond=1),
    NOW.replace(tzinfo=None), NOW.replace(tzinfo=timezone(timedelta(hours=2))),
    NOW.replace(tzinfo=Nowhere()), datetime.min.replace(tzinfo=UTC), datetime.max,
    "2026-01-31", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000001Z", "12.50",
    Branch(children=[]), Branch(children=[Branch(children=[])]), Branch(children=[1]),  # type: ignore[list-item]
    Branch, object(), {1}, {"children": []}, {1: 1}, {"a": 2**31}, (1,),
]  # fmt: skip


def of(type_: Any) -> type[DomainEvent]:
    """A class of events with a field `x`, as it would be generated."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Event(DomainEvent):
        SCHEMA: ClassVar[dict[str, Any]] = {
            "type": "record",
            "name": "Event",
            "fields": [{"name": "x", "type": type_}],
        }

        x: Any

    return Event


EVENTS = [of(type_) for type_ in types()]


def encoders_refusal(schema: Any, payload: Any) -> str | None:
    try:
        compile_encoder(schema)(payload)
    except PayloadInvalid as refused:
        return str(refused)
    return None


def refusal(kind: Any, x: Any) -> str | None:
    try:
        kind(aggregate_id="a", occurred_at=NOW, x=x)
    except PayloadInvalid as refused:
        return str(refused)
    return None


def values() -> st.SearchStrategy[Any]:
    leaves = st.sampled_from(LEAVES) | st.decimals(-200, 200, allow_nan=False) | st.floats()
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "\ud800"]), inner)
        ),
        max_leaves=4,
    )


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: str(kind.SCHEMA["fields"][0]["type"]))
def test_every_odd_value_is_accepted_or_refused_as_by_the_encoder(kind: Any) -> None:
    for value in LEAVES:
        for x in (value, [value], {"a": value}):
            assert refusal(kind, x) == encoders_refusal(kind.SCHEMA, {"x": natural(x)}), x


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(EVENTS), values())
def test_an_event_is_refused_exactly_where_the_encoder_refuses_its_json(kind: Any, x: Any) -> None:
    assert refusal(kind, x) == encoders_refusal(kind.SCHEMA, {"x": natural(x)})


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
@pytest.mark.parametrize("kind", schemas.EVENT_CLASSES.values(), ids=lambda kind: kind.__name__)
def test_a_generated_class_accepts_what_fits_and_nothing_else(
    kind: type[DomainEvent], data: st.DataObject
) -> None:
    event = data.draw(values_of(kind))
    names = {attribute: name for name, attribute in kind.JSON_FIELDS.items()}
    field = data.draw(st.sampled_from([f.name for f in fields(kind) if f.name in names]))
    value = data.draw(values())
    problem = encoders_refusal(kind.SCHEMA, {**event.to_json(), names[field]: natural(value)})

    refused: PayloadInvalid | None = None
    changed = event
    try:
        changed = replace(event, **{field: value})
    except PayloadInvalid as error:
        refused = error
    if refused is None:
        assert problem is None
        assert getattr(changed, field) is value
    elif str(refused) != problem:
        # The class takes only the type that it declares, such as no string for a datetime.
        assert "The field takes" in refused.problem or natural(value) is not value


def test_a_part_that_does_not_fit_is_refused_by_its_place_in_the_event() -> None:
    bad = OrderLine(sku="s", quantity=2**31, unit_price=Decimal("1.00"))
    good = replace(bad, quantity=1)

    with pytest.raises(PayloadInvalid) as caught:
        created([good, bad])

    assert caught.value.path == "$.lines[1].quantity"
    assert created([good]).lines == [good]


def created(lines: list[OrderLine]) -> OrderCreated:
    return order_created(
        "o-1",
        order_number="1",
        customer_id="c",
        channel="WEB",
        lines=lines,
        total=Decimal("2.00"),
        currency="EUR",
    )


@pytest.mark.parametrize("moment", [NOW.replace(tzinfo=None), NOW.replace(tzinfo=Nowhere())])
def test_a_naive_datetime_is_refused_everywhere(moment: datetime) -> None:
    with pytest.raises(PayloadInvalid, match="naive datetime") as caught:
        paid(paid_at=moment)
    assert caught.value.path == "$.paidAt"
    with pytest.raises(PayloadInvalid, match="aware datetime") as caught:
        paid(occurred_at=moment)
    assert caught.value.path == "$occurredAt"


def test_an_aggregate_id_is_a_string() -> None:
    with pytest.raises(PayloadInvalid) as caught:
        replace(paid(), aggregate_id=7)

    assert caught.value.path == "$aggregateId"


def test_a_class_with_an_overridden_to_json_is_checked_by_that_json() -> None:
    class Odd(of("int")):  # type: ignore[misc]
        def to_json(self) -> dict[str, Any]:
            return {"x": "no number"}

    assert refusal(Odd, 1) is not None


@pytest.mark.parametrize("year", [1, 9999])
def test_a_timestamp_outside_the_years_1_to_9999_is_refused(year: int) -> None:
    hours = 5 if year == 1 else -5
    edge = datetime(year, 1, 1) if year == 1 else datetime(year, 12, 31, 23)

    with pytest.raises(PayloadInvalid, match="years 1 to 9999") as caught:
        paid(paid_at=edge.replace(tzinfo=timezone(timedelta(hours=hours))))

    assert caught.value.path == "$.paidAt"


@pytest.mark.parametrize("levels", [300, 5000])
def test_parts_that_nest_too_deeply_are_refused_when_the_event_is_made(levels: int) -> None:
    link = of(
        {
            **{"type": "record", "name": "Link"},
            "fields": [{"name": "next", "type": ["null", "Link"], "default": None}],
        }
    )
    value: Any = {"next": None}
    for _ in range(levels):
        value = Linked(next=value)

    assert "too deeply" in str(refusal(link, value))


@pytest.mark.parametrize(
    "amount", ["1e999999999", "-1e999999999", "1e-999999999", "0e-999999999", "1e20001", "1e999"]
)
def test_a_decimal_whose_digits_would_fill_the_memory_is_refused_at_once(amount: str) -> None:
    before = perf_counter()

    with pytest.raises(PayloadInvalid) as caught:
        paid(amount=Decimal(amount))

    assert caught.value.path == "$.amount"
    assert len(caught.value.problem) < 200
    # Written out it takes some seconds, and a gigabyte.
    assert perf_counter() - before < 0.5


def _event(hint: Any, type_: Any) -> Any:
    schema = {"type": "record", "name": "Noted", "fields": [{"name": "x", "type": type_}]}
    names = {"EVENT_TYPE": "noted", "AGGREGATE_TYPE": "note", "SCHEMA": schema}
    options: dict[str, bool] = {"frozen": True, "slots": True, "kw_only": True}
    return make_dataclass("Noted", [("x", hint)], bases=(DomainEvent,), namespace=names, **options)


DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
MICROS = {"type": "long", "logicalType": "timestamp-micros"}


@pytest.mark.parametrize(
    ("hint", "type_", "wrong", "names"),
    [
        (bytes, "bytes", "AAEC", "str. The field takes bytes, bytearray or memoryview"),
        (bytes, {"type": "fixed", "name": "F", "size": 3}, "AAEC", "takes bytes"),
        (Decimal, DECIMAL, "12.50", "str. The field takes Decimal"),
        (Decimal, DECIMAL, 12, "int. The field takes Decimal"),
        (UUID, {"type": "string", "logicalType": "uuid"}, str(UUID(int=1)), "takes UUID"),
        (date, {"type": "int", "logicalType": "date"}, "2026-01-31", "takes date"),
        (date, {"type": "int", "logicalType": "date"}, NOW, "datetime. The field takes date"),
        (time, {"type": "int", "logicalType": "time-millis"}, "12:00:00", "takes time"),
        (datetime, MICROS, "2026-01-31T12:00:00Z", "str. The field takes datetime"),
        (datetime, MICROS, date(2026, 1, 31), "date. The field takes datetime"),
        (str, "string", UUID(int=1), "is not a string"),
        (str, "string", b"AAEC", "is not a string"),
    ],
)
def test_a_field_takes_the_type_that_its_class_declares(
    hint: Any, type_: Any, wrong: Any, names: str
) -> None:
    for declared, schema, value, path in (
        (hint, type_, wrong, "$.x"),
        (hint | None, ["null", type_], wrong, "$.x"),
        (list[hint], {"type": "array", "items": type_}, [wrong], "$.x[0]"),
        (dict[str, hint], {"type": "map", "values": type_}, {"k": wrong}, "$.x['k']"),
    ):
        with pytest.raises(PayloadInvalid) as refused:
            _event(declared, schema)("n-1", x=value)
        assert refused.value.path == path
        assert names in refused.value.problem


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_may_be_of_any_kind(kind: Any) -> None:
    event = _event(bytes, "bytes")("n-1", x=kind(b"tea"))

    assert event.payload == {"x": "dGVh"}
    assert checked(event).avro == b"\x06tea"


@pytest.mark.parametrize("number", [2, 10**17, 2**70])
def test_a_double_takes_whole_numbers_that_it_holds_and_its_row_can_be_written(number: int) -> None:
    event = _event(float, "double")("n-1", x=number)

    assert orjson.loads(orjson.dumps(checked(event).json)) == {"x": number}
    with pytest.raises(PayloadInvalid, match="not exact"):
        _event(float, "double")("n-1", x=2**70 + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card(Part):
    """One way to pay."""

    RECORD: ClassVar[str] = "shop.Card"
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cash(Part):
    """Another way to pay, with the same fields."""

    RECORD: ClassVar[str] = "shop.Cash"
    note: str | None = None


NOTE = {"name": "note", "type": ["null", "string"], "default": None}
WAYS = [{"type": "record", "name": f"shop.{name}", "fields": [NOTE]} for name in ("Card", "Cash")]


def test_an_object_of_a_class_decides_for_its_record_of_a_union() -> None:
    noted = _event(Any, ["null", *WAYS])

    for index, way in enumerate((None, Card(note="a"), Cash(note="a"))):
        assert checked(noted("n-1", x=way)).avro[0] == 2 * index
    assert noted("n-1", x=Cash(note="a")).payload == {"x": {"note": "a"}}
    with pytest.raises(PayloadInvalid, match=r"fits shop\.Card and shop\.Cash"):
        noted("n-1", x={"note": "a"})
    many = _event(list[Any], {"type": "array", "items": WAYS})
    assert checked(many("n-1", x=[Cash(), Card()])).avro == b"\x04\x02\x00\x00\x00\x00"
    with pytest.raises(PayloadInvalid, match=r"a shop\.Cash is none of string, shop\.Card"):
        _event(Any, ["string", WAYS[0]])("n-1", x=Cash())


def test_reading_never_refuses_an_ambiguous_value() -> None:
    noted = _event(Any, ["string", "bytes", *WAYS])
    decode = compile_decoder(noted.SCHEMA)
    known = {"aggregate_id": "n-1", "occurred_at": NOW}

    for encoded, value in (
        (b"\x02\x04ab", "YWI="),
        (b"\x00\x08YWI=", "YWI="),
        (b"\x06\x00", {"note": None}),
    ):
        assert decode(encoded) == {"x": value}
        assert noted.from_decoded(decode(encoded), **known).x == value
        assert noted.from_converted(decode(encoded), **known).x == value
    with pytest.raises(PayloadInvalid, match=r"\$\.x: a number fits none of"):
        noted.from_converted({"x": 5}, **known)
