"""What an event was checked with when it was made is what is published, unless it has changed."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest

import relay.events
from relay.errors import CatalogInvalid, PayloadInvalid
from relay.events import DomainEvent, checked, read_avsc
from relay.outbox.row import row_of
from relay.schema.avro.decoder import compile_decoder
from relay.schema.avro.encoder import compile_encoder
from schemas.billing.events import InvoiceIssued
from schemas.orders.events import OrderCreated, OrderLine, OrderPaid
from tests.unit.test_generate_events import paid
from tests.unit.test_validation import created, of

LINE = OrderLine(sku="s", quantity=1, unit_price=Decimal("1.00"))


def published(event: DomainEvent) -> Any:
    """The payload as a reader of the row's bytes sees it; the JSON beside them says the same."""
    row = row_of(event)
    payload = compile_decoder(event.SCHEMA)(row["avro"])
    assert compile_encoder(event.SCHEMA)(relay.events.checked(event).json) == row["avro"]
    return payload


@pytest.fixture
def encodings(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Payloads that are encoded from here on."""
    seen: list[Any] = []
    known = relay.events._encoder

    def encoder(kind: Any) -> Any:
        encode, can_change = known(kind)
        return (lambda payload: seen.append(payload) or encode(payload)), can_change

    monkeypatch.setattr(relay.events, "_encoder", encoder)
    return seen


def test_an_event_without_lists_and_records_is_encoded_once(encodings: list[Any]) -> None:
    event = paid()
    row_of(event)
    row_of(event)

    assert len(encodings) == 1


def test_a_list_that_was_changed_after_construction_is_published_as_it_is_then() -> None:
    event = created([LINE])
    assert len(published(event)["lines"]) == 1

    event.lines.append(replace(LINE, sku="second"))
    assert [line["sku"] for line in published(event)["lines"]] == ["s", "second"]
    event.lines.clear()
    assert published(event)["lines"] == []


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (replace(LINE, quantity=2**31), "$.lines[1].quantity"),
        (replace(LINE, unit_price=Decimal("0.001")), "$.lines[1].unitPrice"),
        ("no line", "$.lines[1]"),
    ],
)
def test_a_list_that_no_longer_fits_is_refused_when_it_is_published(value: Any, path: str) -> None:
    event = created([LINE])
    event.lines.append(value)

    with pytest.raises(PayloadInvalid) as refused:
        row_of(event)
    assert refused.value.path == path


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ({"type": "map", "values": "int"}, {"a": 1}, {"a": True}),
        ({"type": "array", "items": "long"}, [1], [1.0]),
        ({"type": "array", "items": ["null", "double"]}, [None], [float("nan")]),
        ([{"type": "array", "items": "int"}, "null"], [1], ["1"]),
        ({"type": "array", "items": "int"}, [0], [IntEnum("Number", "ONE", start=0).ONE]),
    ],
)
def test_a_change_to_a_value_that_is_equal_or_looks_alike_in_json_is_noticed(
    kind: Any, first: Any, second: Any
) -> None:
    event = of(kind)(aggregate_id="a", x=first)  # type: ignore[call-arg]
    first.clear()
    first.update(second) if isinstance(first, dict) else first.extend(second)

    with pytest.raises(PayloadInvalid):
        checked(event)


def test_a_record_given_as_a_dict_is_published_as_it_is_when_published() -> None:
    record = {"type": "record", "name": "R", "fields": [{"name": "n", "type": "int"}]}
    value = {"n": 1}
    event = of(record)(aggregate_id="a", x=value)  # type: ignore[call-arg]
    value["n"] = 2

    assert checked(event).json == {"x": {"n": 2}}
    assert checked(event).avro == b"\x04"


@pytest.mark.parametrize("dup", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_a_copy_of_an_event_is_equal_to_it_and_publishes_the_same(dup: Any) -> None:
    for event in (paid(), created([LINE])):
        assert dup(event) == event
        assert published(dup(event)) == published(event)


def test_what_is_kept_is_not_part_of_an_events_value() -> None:
    event = paid()

    assert "_checked" not in repr(event)
    assert event == replace(event) != paid(attempt=2)
    assert published(replace(event, attempt=7))["attempt"] == 7


def test_the_payload_that_a_caller_gets_is_the_callers_own() -> None:
    event = paid()
    event.payload["amount"] = "0.00"
    event.to_json()["attempt"] = "none"

    assert checked(event).json == event.to_json() == paid(occurred_at=event.occurred_at).payload
    assert published(event)["amount"] == "12.50"


def test_an_overridden_to_json_is_called_again_when_an_event_is_published() -> None:
    class Counting(of("int")):  # type: ignore[misc]
        seen: list[int] = []  # noqa: RUF012

        def to_json(self) -> dict[str, Any]:
            self.seen.append(1)
            return {"x": len(self.seen)}

    event = Counting(aggregate_id="a", x=0)
    assert checked(event).json == {"x": 2}
    assert checked(event).json == {"x": 3}


def test_a_class_without_schema_is_refused_by_name() -> None:
    with pytest.raises(CatalogInvalid, match=r"DomainEvent has no SCHEMA.*relay schemas"):
        DomainEvent(aggregate_id="a")


@pytest.mark.parametrize("text", [None, "{"])
def test_a_class_without_its_schema_file_says_what_to_install(
    tmp_path: Path, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "order.paid.v1.avsc").write_text(text)

    with pytest.raises(CatalogInvalid, match=r"order\.paid\.v1\.avsc.*Install the \.avsc files"):
        read_avsc(str(tmp_path / "events.py"), "order.paid.v1.avsc")


def test_names_in_json_and_constants_come_from_fields_and_schema() -> None:
    assert OrderCreated.JSON_FIELDS["shippingCountry"] == "shipping_country"
    assert OrderLine.JSON_FIELDS == {
        "sku": "sku",
        "quantity": "quantity",
        "unitPrice": "unit_price",
    }
    assert (OrderPaid.SOURCE_MODULE, InvoiceIssued.SOURCE_MODULE) == ("orders", "billing")
    assert (OrderPaid.SCHEMA_VERSION, OrderPaid.AGGREGATE_TYPE) == (1, "order")


def test_a_decoded_event_is_the_same_as_one_from_json_and_is_checked_when_published() -> None:
    payload = paid().to_json()
    place: dict[str, Any] = {"aggregate_id": "o", "occurred_at": paid().occurred_at}
    made = OrderPaid.from_json(payload, **place)
    decoded = OrderPaid.from_decoded(payload, **place)
    assert decoded == made
    assert checked(decoded) == checked(made)
    unfit = OrderPaid.from_decoded(payload | {"attempt": 2**40}, **place)
    with pytest.raises(PayloadInvalid, match="attempt"):
        checked(unfit)
    with pytest.raises(PayloadInvalid, match="no such field"):
        OrderPaid.from_decoded(payload | {"unknown": 1}, **place)
