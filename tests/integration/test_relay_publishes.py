"""What is written to the outbox arrives in Kafka."""

from __future__ import annotations

import struct

import fastavro

from tests.relaying import Relay


def test_a_committed_event_is_published_with_cloudevents_headers_and_flagged(relay: Relay) -> None:
    # Given an event written by SQL
    event_id = relay.publish("a", 1, note="hello")

    # When the relay has run
    relay.must("run", "--until-idle")

    # Then its record stands in the topic of its domain, in Confluent's wire format
    (record,) = relay.published()
    assert record.event_id == event_id
    assert record.key == "a"
    magic, schema_id = struct.unpack(">bI", record.value[:5])
    assert magic == 0
    assert schema_id > 0
    # and its row says where
    (row,) = relay.status()
    assert (row["topic"], row["partition"], row["kafka_offset"]) == (
        record.topic,
        record.partition,
        record.offset,
    )
    assert row["delivered_at"] is not None
    assert row["delivery_attempts"] == 1
    assert not row["dead_letter"]
