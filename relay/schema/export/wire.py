"""Headers of the relay's records as JSON Schema.

Events: CloudEvents 1.0, Kafka protocol binding, binary content mode, and W3C Trace Context.
"""

from __future__ import annotations

from typing import Any

from relay.kafka import headers as names

__all__ = ["ALWAYS", "DEAD_LETTER_HEADERS", "EVENT_HEADERS", "REPLAY_HEADERS", "headers_schema"]

_TIME = "RFC 3339, UTC."


def _text(description: str, **rest: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **rest}


def _timestamp(description: str) -> dict[str, Any]:
    return _text(f"{description}, {_TIME}", format="date-time")


def _count(description: str) -> dict[str, Any]:
    return _text(f"{description}, in decimal digits.", pattern="^[0-9]+$")


EVENT_HEADERS: dict[str, Any] = {
    names.SPEC_VERSION: _text("Version of CloudEvents.", const="1.0"),
    names.EVENT_ID: _text("Id of the event; consumers recognize by it what they have processed."),
    names.EVENT_TYPE: _text("Event type, as in the catalog."),
    names.SOURCE: _text("The publishing module, or the domain where the event names none."),
    names.SUBJECT: _text("Id of the aggregate, the same as the key."),
    names.TIME: _timestamp("When the event occurred"),
    names.AGGREGATE_TYPE: _text("Type of the aggregate."),
    names.SEQUENCE: _count("The event's number in the outbox"),
    names.CONTENT_TYPE: _text("Type of the value.", const=names.AVRO),
    names.CORRELATION_ID: _text("Id of the event that began what this one belongs to."),
    names.CAUSATION_ID: _text("Id of what led to the event."),
    names.ACTOR_ID: _text("Who caused the event."),
    names.COPIES: _text("Event types that the same event is published under as well, by commas."),
    names.ORIGINAL_ID: _text("Of a copy under another major version: ce_id of the original."),
    names.ORIGINAL_TYPE: _text("Of a copy under another major version: ce_type of the original."),
    names.TRACEPARENT: _text("W3C Trace Context."),
    names.TRACESTATE: _text("W3C Trace Context."),
}
# Headers of an event that SQL published without metadata.
ALWAYS = list(EVENT_HEADERS)[:9]

_ORIGIN: dict[str, Any] = {
    names.EVENT: _text("Id of the event."),
    names.GROUP: _text("The consumer group that failed."),
    names.ATTEMPT: _count("Tries that were made"),
    names.ORIGIN_TOPIC: _text("Topic that the event was read from first."),
    names.ORIGIN_PARTITION: _count("Its partition there"),
    names.ORIGIN_OFFSET: _count("Its offset there"),
}
DEAD_LETTER_HEADERS: dict[str, Any] = {
    **_ORIGIN,
    names.DEAD_LETTER_ID: _text("Event, group and attempt: the same when a record was sent twice."),
    names.OUTCOME: _text(
        "dead: the group gave up. resolved: a replay was processed; such a record has no value.",
        enum=["dead", "resolved"],
    ),
    names.MESSAGE: _text("What went wrong."),
    names.EXCEPTION_CLASS: _text("Class of the exception."),
    names.EXCEPTION_STACKTRACE: _text("Its stack trace, cut to a length."),
    names.STAGE: _text("Where it failed: decoding, handling, ..."),
    names.FIRST_FAILED_AT: _timestamp("When the first try failed"),
    names.FAILED_AT: _timestamp("When the last try failed"),
    names.RESOLVED_AT: _timestamp("When a replay was processed"),
    names.VALUE_OMITTED: _text("There where the value was too large for the topic."),
    names.HEADERS_OMITTED: _text("There where headers or the key were too large for the topic."),
}
REPLAY_HEADERS: dict[str, Any] = {
    **_ORIGIN,
    names.REPLAYED_AT: _timestamp("When somebody replayed the event"),
}


def headers_schema() -> dict[str, Any]:
    """Returns JSON Schemas of the headers of events, dead letters and replays, by their names in
    AsyncAPI's components. Dead letters and replays also have the event's headers."""
    return {
        "eventHeaders": {"type": "object", "properties": EVENT_HEADERS, "required": ALWAYS},
        "deadLetterHeaders": {
            "type": "object",
            "properties": DEAD_LETTER_HEADERS,
            "required": [*_ORIGIN, names.DEAD_LETTER_ID, names.OUTCOME],
        },
        "replayHeaders": {
            "type": "object",
            "properties": REPLAY_HEADERS,
            "required": list(REPLAY_HEADERS),
        },
    }
