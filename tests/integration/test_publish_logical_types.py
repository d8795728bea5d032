"""A class whose schema differs from the approved one by a logical type alone is not published.

Its fingerprint is the approved one's: 12.500 of scale 3 would be read as 125.00 of scale 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from relay.bus import DomainEventBus
from relay.errors import SchemaNotActive
from relay.events import DomainEvent
from relay.schema.avro.decoder import compile_decoder
from relay.schema.avro.encoder import compile_encoder
from relay.schema.catalog import State
from tests.integration.publishing import notes
from tests.integration.reviewing import EVENT_TYPE, Connection, bring, version


def schema_of(scale: int) -> dict[str, Any]:
    amount = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": scale}
    return {
        "type": "record",
        "name": "OrderNoted",
        "namespace": "relay.events.tests",
        "fields": [{"name": "note", "type": amount}],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Cents(DomainEvent):
    """Of the approved schema."""

    EVENT_TYPE = EVENT_TYPE
    AGGREGATE_TYPE = "order"
    SCHEMA = schema_of(2)

    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mills(Cents):
    """Generated from a file in which somebody changed the scale."""

    SCHEMA = schema_of(3)


CENTS = Cents(aggregate_id="order-1", note="12.50")
MILLS = Mills(aggregate_id="order-1", note="12.500")


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url) as connection:
        bring(connection, version(1, Cents.SCHEMA), State.ACTIVE)
        connection.commit()
        yield connection


def test_such_bytes_would_be_read_as_another_amount() -> None:
    assert Mills.FINGERPRINT == Cents.FINGERPRINT
    encoded = compile_encoder(Mills.SCHEMA)({"note": "12.500"})
    assert compile_decoder(Cents.SCHEMA)(encoded) == {"note": "125.00"}


def test_a_class_of_another_scale_is_refused_with_the_reason_and_the_transaction_goes_on(
    database_url: str, connection: Connection
) -> None:
    with pytest.raises(SchemaNotActive, match=r"order\.noted version 1 has another logical type"):
        DomainEventBus.publish(connection, MILLS)
    with pytest.raises(SchemaNotActive, match=r"decimal's scale.*relay schemas check.*generate"):
        DomainEventBus.publish_many(connection, [CENTS, MILLS])
    DomainEventBus.publish(connection, CENTS)
    DomainEventBus.publish_many(connection, [CENTS, CENTS])
    connection.commit()
    assert notes(database_url) == ["12.50"] * 3


def test_a_text_that_was_proposed_anew_decides_by_its_own_logical_types(
    database_url: str,
) -> None:
    with psycopg.connect(database_url) as connection:
        bring(connection, version(1, Cents.SCHEMA), State.PROPOSED)
        bring(connection, version(1, Mills.SCHEMA), State.ACTIVE)
        DomainEventBus.publish(connection, MILLS)
        with pytest.raises(SchemaNotActive, match="another logical type"):
            DomainEventBus.publish(connection, CENTS)
