"""Typed events of the shipped catalog: from Python to bytes and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import schemas
from relay.errors import PayloadInvalid, SchemaUnknown
from relay.events import DomainEvent, Metadata
from relay.natural import JsonRecord
from relay.schema.avro.decoder import compile_decoder
from relay.schema.avro.encoder import compile_encoder
from relay.schema.avro.fingerprint import rabin
from relay.schema.catalog import Catalog
from schemas import DomainEventCatalog, event_class
from schemas.orders.events import OrderPaid, OrdersEvent, order_paid
from tests.unit.test_catalog import SHIPPED

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=20),
    int: st.integers(-(2**31), 2**31 - 1),
    bool: st.booleans(),
    Decimal: st.decimals(-9, 9, places=2),
    datetime: st.datetimes(timezones=st.just(UTC)),
    date: st.dates(),
    UUID: st.uuids(),
}


def paid(**changes: Any) -> OrderPaid:
    values: dict[str, Any] = {
        "payment_id": "p-1",
        "customer_id": "c-1",
        "provider": "STRIPE",
        "method": "CARD",
        "amount": Decimal("12.5"),
        "currency": "EUR",
        "paid_at": NOW,
    }
    return order_paid("o-1", **{**values, **changes})


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    if hint in VALUES:
        return VALUES[hint]
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if get_origin(hint) is list:
        return st.lists(values_of(get_args(hint)[0]), max_size=3)
    if get_origin(hint) is dict:
        return st.dictionaries(st.text(max_size=5), values_of(get_args(hint)[1]), max_size=3)
    if get_origin(hint) is UnionType:
        (kind,) = (arg for arg in get_args(hint) if arg is not type(None))
        return st.none() | values_of(kind)
    assert issubclass(hint, JsonRecord), hint
    hints = get_type_hints(hint)
    return st.builds(
        hint,
        **{
            field.name: st.none() if field.name == "metadata" else values_of(hints[field.name])
            for field in fields(hint)
        },
    )


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
@pytest.mark.parametrize("kind", schemas.EVENT_CLASSES.values(), ids=lambda kind: kind.__name__)
def test_an_event_comes_back_as_it_was_published(
    kind: type[DomainEvent], data: st.DataObject
) -> None:
    event = data.draw(values_of(kind))

    encoded = compile_encoder(kind.SCHEMA)(event.to_json())
    payload = compile_decoder(kind.SCHEMA)(encoded)

    assert event == kind.from_json(
        payload, aggregate_id=event.aggregate_id, occurred_at=event.occurred_at
    )


def test_every_event_type_of_the_catalog_has_a_class_and_a_name() -> None:
    catalog = Catalog.load(SHIPPED)

    assert {member.value for member in DomainEventCatalog} == set(catalog.event_types)
    for name in catalog.event_types:
        version = catalog.active(name)
        kind = event_class(name)
        assert kind is event_class(name, version.version)
        assert name == kind.EVENT_TYPE
        assert kind.FINGERPRINT == version.fingerprint == rabin(kind.SCHEMA)
        assert catalog.event_type(name).aggregate == kind.AGGREGATE_TYPE


def test_an_event_type_without_class_is_refused() -> None:
    with pytest.raises(SchemaUnknown, match=r"order\.payed"):
        event_class("order.payed")
    with pytest.raises(SchemaUnknown, match="version 9"):
        event_class("order.paid", 9)


def test_the_payload_is_natural_json() -> None:
    event = paid(fee_amount=Decimal("-0.31"))

    assert event.event_type == "order.paid"
    assert event.payload == {
        "paymentId": "p-1",
        "customerId": "c-1",
        "provider": "STRIPE",
        "method": "CARD",
        "amount": "12.5",
        "currency": "EUR",
        "feeAmount": "-0.31",
        "paidAt": "2026-01-31T12:00:00.000000Z",
        "providerReference": None,
        "attempt": 1,
    }


def test_an_event_occurred_now_by_default() -> None:
    before = datetime.now(UTC)

    assert before <= paid().occurred_at <= datetime.now(UTC)
    assert paid(occurred_at=NOW).occurred_at == NOW


def test_events_of_a_domain_are_distinguished_by_their_type() -> None:
    def amount(event: OrdersEvent) -> Decimal | None:
        if event.EVENT_TYPE == "order.paid":
            return event.amount
        return None

    assert amount(paid()) == Decimal("12.5")


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("amount", 12.5, "type float. The field takes Decimal"),
        ("amount", Decimal("12.505"), "decimal places"),
        ("amount", Decimal("NaN"), "not a decimal"),
        ("amount", Decimal("10000000000"), "out of range"),
        ("amount", "12.50", "type str. The field takes Decimal"),
        ("paid_at", datetime(2026, 1, 31, 12), "naive datetime"),
        ("paid_at", date(2026, 1, 31), "type date. The field takes datetime"),
        ("attempt", True, "not a valid int"),
        ("attempt", 1.0, "not a valid int"),
        ("method", "CASH", "not one of"),
        ("payment_id", None, "not a string"),
    ],
)
def test_an_event_that_does_not_fit_its_schema_can_not_be_made(
    field: str, value: Any, problem: str
) -> None:
    name = {v: k for k, v in OrderPaid.JSON_FIELDS.items()}[field]

    with pytest.raises(PayloadInvalid, match=problem) as caught:
        paid(**{field: value})

    assert caught.value.path == f"$.{name}"


def test_reading_a_payload_refuses_what_it_would_lose_or_miss() -> None:
    read: Callable[[dict[str, Any]], OrderPaid] = lambda payload: OrderPaid.from_json(  # noqa: E731
        payload, aggregate_id="o-1", occurred_at=NOW
    )
    payload = paid().to_json()

    with pytest.raises(PayloadInvalid, match=r"\$\.surprise"):
        read({**payload, "surprise": 1})
    with pytest.raises(PayloadInvalid, match=r"\$\.amount"):
        read({key: value for key, value in payload.items() if key != "amount"})
    assert read({k: v for k, v in payload.items() if k != "attempt"}).attempt == 1


def test_metadata_keeps_its_names_in_json() -> None:
    metadata = Metadata(actor_id="u", correlation_id="c", traceparent="00-1-2-01")

    assert metadata.to_json() == {
        "actorId": "u",
        "correlationId": "c",
        "traceparent": "00-1-2-01",
    }
    assert Metadata.from_json({**metadata.to_json(), "tenant": "t"}) == metadata


def test_events_can_not_be_changed() -> None:
    with pytest.raises(AttributeError):
        paid().amount = Decimal(1)  # type: ignore[misc]
