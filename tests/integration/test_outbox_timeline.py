"""Reading the timeline of an aggregate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from relay.bus import DomainEventBus, event_context
from relay.operate.timeline import Timeline, read_timeline
from tests.integration.publishing import noted


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url) as connection:
        yield connection


def notes(timeline: Timeline) -> list[str]:
    return [event.payload["note"] for event in timeline.events]


def test_a_timeline_has_an_aggregates_events_in_order_and_no_others(
    connection: psycopg.Connection[Any],
) -> None:
    for n in range(3):
        DomainEventBus.publish(connection, noted("order-1", f"mine {n}"))
        DomainEventBus.publish(connection, noted("order-2", f"other {n}"))
    assert notes(read_timeline(connection, "order", "order-1")) == ["mine 0", "mine 1", "mine 2"]
    assert read_timeline(connection, "shipment", "order-1") == Timeline((), None)


@pytest.mark.parametrize("related", [False, True])
@pytest.mark.parametrize("limit", [1, 3, 7, 8])
def test_pages_follow_each_other_without_gap_or_repetition(
    connection: psycopg.Connection[Any], limit: int, related: bool
) -> None:
    DomainEventBus.publish_many(connection, [noted(note=str(n)) for n in range(7)])
    seen: list[str] = []
    cursor: int | None = 0
    while cursor is not None:
        page = read_timeline(
            connection, "order", "order-1", cursor=cursor, limit=limit, related=related
        )
        assert 1 <= len(page.events) <= limit
        seen += notes(page)
        cursor = page.next_cursor
    assert seen == [str(n) for n in range(7)]


def test_related_events_share_a_correlation_with_the_aggregates_own(
    connection: psycopg.Connection[Any],
) -> None:
    with event_context(correlation_id="checkout-1"):
        DomainEventBus.publish(connection, noted("payment-1", "paid"))
        DomainEventBus.publish(connection, noted("order-1", "placed"))
        DomainEventBus.publish(connection, noted("shipment-1", "drafted"))
    with event_context(correlation_id="checkout-2"):
        DomainEventBus.publish(connection, noted("order-2", "another"))
    DomainEventBus.publish(connection, noted("order-1", "on its own"))
    timeline = read_timeline(connection, "order", "order-1", related=True)
    assert notes(timeline) == ["paid", "placed", "drafted", "on its own"]
    assert notes(read_timeline(connection, "order", "order-1")) == ["placed", "on its own"]


def test_an_event_of_a_timeline_says_what_became_of_it(
    connection: psycopg.Connection[Any],
) -> None:
    delivered_id = DomainEventBus.publish(connection, noted(note="delivered"))
    DomainEventBus.publish(connection, noted(note="pending"))
    connection.execute(
        "insert into outbox.deliveries (seq, topic, partition, kafka_offset) "
        "select seq, 'events.orders', 3, 42 from outbox.domain_events where id = %s",
        [delivered_id],
    )
    delivered, pending = read_timeline(connection, "order", "order-1").events
    assert (delivered.topic, delivered.partition, delivered.kafka_offset) == (
        "events.orders",
        3,
        42,
    )
    assert (delivered.delivery_state, delivered.delivery_attempts) == ("delivered", 1)
    assert (pending.delivery_state, pending.delivered_at) == ("pending", None)
    assert not pending.dead_letter


@pytest.mark.parametrize("limit", [0, -1, 501])
def test_a_limit_out_of_range_is_refused(connection: psycopg.Connection[Any], limit: int) -> None:
    with pytest.raises(ValueError, match="1 to 500"):
        read_timeline(connection, "order", "order-1", limit=limit)


def test_an_event_whose_json_python_can_not_read_is_shown_as_text(
    connection: psycopg.Connection[Any],
) -> None:
    deep = "[" * 2_000 + "]" * 2_000
    connection.execute(
        "select outbox.publish('order.noted', 'order', 'order-1', %s::text::jsonb)",
        (f'{{"note": {deep}}}',),
    )
    (event,) = read_timeline(connection, "order", "order-1").events
    assert deep in event.payload
