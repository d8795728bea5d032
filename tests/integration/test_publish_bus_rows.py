"""What publish writes, and what it refuses to write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest
from cuid2 import is_cuid
from opentelemetry.sdk.trace import TracerProvider

from relay.bus import DomainEventBus, event_context
from relay.errors import CatalogInvalid, PayloadInvalid
from relay.events import Metadata
from relay.schema.avro.decoder import compile_decoder
from tests.integration.publishing import NOTED_SCHEMA, OrderNoted, noted, notes, rows


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url) as connection:
        yield connection


def published(connection: psycopg.Connection[Any], event: OrderNoted) -> dict[str, Any]:
    """The row of `event` after its transaction has been committed."""
    event_id = DomainEventBus.publish(connection, event)
    connection.commit()
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        row = cursor.execute(
            "select * from outbox.domain_events where id = %s", [event_id]
        ).fetchone()
    connection.commit()
    assert row is not None
    return row


def test_a_row_carries_the_event_as_json_and_as_the_bytes_of_its_schema(
    connection: psycopg.Connection[Any],
) -> None:
    occurred_at = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    event = noted("order-9", "Grüße 👋", labels={"by": "phone"}, occurred_at=occurred_at)
    row = published(connection, event)
    payload = {"orderId": "order-9", "note": "Grüße 👋", "labels": {"by": "phone"}}
    assert row["payload"] == payload
    assert compile_decoder(NOTED_SCHEMA)(row["avro"]) == payload
    assert row["fingerprint"] == OrderNoted.FINGERPRINT
    assert (row["event_type"], row["schema_version"]) == ("order.noted", 1)
    assert (row["aggregate_type"], row["aggregate_id"]) == ("order", "order-9")
    assert row["occurred_at"] == occurred_at
    assert is_cuid(row["id"])
    assert len(row["id"]) == 24


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"note": 5}, "$.note"),
        ({"note": "nul \0 nul"}, "$.note"),
        ({"labels": {"a": "\0"}}, "$.labels.a"),
        ({"labels": {"\0": "a"}}, r"$.labels.'\x00'"),
        ({"note": "half \ud800"}, "$.note"),
        ({"aggregate_id": ""}, "$aggregateId"),
        ({"aggregate_id": "a\0"}, "$aggregateId"),
        ({"aggregate_id": "a" * 1025}, "$aggregateId"),
        ({"aggregate_id": 7}, "$aggregateId"),
        ({"occurred_at": datetime(2026, 1, 1)}, "$occurredAt"),
        (
            {"occurred_at": datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))},
            "$occurredAt",
        ),
        ({"metadata": Metadata(actor_id="a\0")}, "$metadata.actorId"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_event_is_refused_by_path_and_the_transaction_goes_on(
    database_url: str, connection: psycopg.Connection[Any], changes: dict[str, Any], path: str
) -> None:
    DomainEventBus.publish(connection, noted(note="before"))
    with pytest.raises(PayloadInvalid) as refused:
        DomainEventBus.publish(connection, noted(**changes))
    assert refused.value.path == path
    with pytest.raises(PayloadInvalid):
        DomainEventBus.publish_many(connection, [noted(note="beside"), noted(**changes)])
    DomainEventBus.publish(connection, noted(note="after"))
    connection.commit()
    assert notes(database_url) == ["before", "after"]


def test_a_backslash_before_u0000_is_not_a_nul(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    assert published(connection, noted(note="\\u0000"))["payload"]["note"] == "\\u0000"


def test_the_longest_keys_fit_the_index(connection: psycopg.Connection[Any]) -> None:
    row = published(connection, noted(aggregate_id="é" * 512))
    assert row["aggregate_id"] == "é" * 512


def test_a_class_that_was_generated_from_another_schema_is_refused(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Fenced(OrderNoted):
        FINGERPRINT = bytes(8)

    with pytest.raises(CatalogInvalid, match="relay schemas generate"):
        DomainEventBus.publish(
            connection, Fenced(aggregate_id="1", order_id="1", note="", labels={})
        )
    assert rows(database_url) == []


def test_an_event_that_nothing_led_to_starts_a_correlation_of_its_own(
    connection: psycopg.Connection[Any],
) -> None:
    row = published(connection, noted())
    assert row["metadata"] == {"correlationId": row["id"], "sourceModule": "orders"}


def test_metadata_comes_from_the_event_then_from_its_surroundings(
    connection: psycopg.Connection[Any],
) -> None:
    with event_context(actor_id="outer", correlation_id="process"):
        with event_context(actor_id="inner", causation_id="cause"):
            inside = published(connection, noted())
            own = Metadata(actor_id="own", correlation_id="own", source_module="own")
            of_its_own = published(connection, noted(metadata=own))
        outside = published(connection, noted())
    assert inside["metadata"] == {
        "actorId": "inner",
        "correlationId": "process",
        "causationId": "cause",
        "sourceModule": "orders",
    }
    assert of_its_own["metadata"] == {
        "actorId": "own",
        "correlationId": "own",
        "causationId": "cause",
        "sourceModule": "own",
    }
    assert outside["metadata"]["actorId"] == "outer"
    assert "causationId" not in outside["metadata"]
    assert "actorId" not in published(connection, noted())["metadata"]


def test_the_trace_of_the_current_span_is_carried(connection: psycopg.Connection[Any]) -> None:
    tracer = TracerProvider().get_tracer("tests")
    with tracer.start_as_current_span("place order") as span:
        row = published(connection, noted())
        given = Metadata(traceparent=f"00-{'1' * 32}-{'2' * 16}-01")
        kept = published(connection, noted(metadata=given))
    context = span.get_span_context()
    ids = f"{context.trace_id:032x}-{context.span_id:016x}"
    expected = f"00-{ids}-{context.trace_flags:02x}"
    assert row["metadata"]["traceparent"] == expected
    assert kept["metadata"]["traceparent"] == given.traceparent


def test_an_event_occurred_when_it_was_made_unless_it_says_otherwise(
    connection: psycopg.Connection[Any],
) -> None:
    before = datetime.now(UTC)
    row = published(connection, noted())
    assert before <= row["occurred_at"] <= datetime.now(UTC)
