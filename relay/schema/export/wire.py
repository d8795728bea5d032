"""Headers of the relay's records, as JSON Schema of their texts.

Events: CloudEvents 1.0, Kafka protocol binding, binary content mode, and W3C Trace Context.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ALWAYS",
    "CORRELATION_ID",
    "DEAD_LETTER_HEADERS",
    "EVENT_HEADERS",
    "REPLAY_HEADERS",
    "headers_schema",
]

CORRELATION_ID = "ce_correlationid"
_TIME = "RFC 3339, UTC."


def _text(description: str, **rest: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **rest}


def _moment(description: str) -> dict[str, Any]:
    return _text(f"{description}, {_TIME}", format="date-time")


def _count(description: str) -> dict[str, Any]:
    return _text(f"{description}, in decimal digits.", pattern="^[0-9]+$")


EVENT_HEADERS: dict[str, Any] = {
    "ce_specversion": _text("Version of CloudEvents.", const="1.0"),
    "ce_id": _text("Id of the event: consumers tell by it what they have processed already."),
    "ce_type": _text("Event type, as in the catalog."),
    "ce_source": _text("The publishing module, or the domain where the event names none."),
    "ce_subject": _text("Id of the aggregate, the same as the key."),
    "ce_time": _moment("When the event occurred"),
    "ce_aggregatetype": _text("Type of the aggregate."),
    "ce_sequence": _count("The event's number in the outbox"),
    "content-type": _text("Type of the value.", const="application/avro"),
    CORRELATION_ID: _text("What the event belongs to: the id of the event it all began with."),
    "ce_causationid": _text("Id of what led to the event."),
    "ce_actorid": _text("Who caused the event."),
    "ce_copies": _text("Event types that the same event is published under as well, by commas."),
    "ce_originalid": _text("Of a copy under another major version: ce_id of the original."),
    "ce_originaltype": _text("Of a copy under another major version: ce_type of the original."),
    "traceparent": _text("W3C Trace Context."),
    "tracestate": _text("W3C Trace Context."),
}
# Of an event that SQL published without metadata.
ALWAYS = list(EVENT_HEADERS)[:9]

_ORIGIN: dict[str, Any] = {
    "__dlq.event": _text("Id of the event."),
    "__dlq.errors.group": _text("The consumer group that failed."),
    "__dlq.errors.delivery.count": _count("Tries that were made"),
    "__dlq.errors.topic": _text("Topic that the event was read from first."),
    "__dlq.errors.partition": _count("Its partition there"),
    "__dlq.errors.offset": _count("Its offset there"),
}
DEAD_LETTER_HEADERS: dict[str, Any] = {
    **_ORIGIN,
    "__dlq.id": _text("Event, group and attempt: the same when a record was sent twice."),
    "__dlq.outcome": _text(
        "dead: the group gave up. resolved: a replay was processed; such a record has no value.",
        enum=["dead", "resolved"],
    ),
    "__dlq.errors.message": _text("What went wrong."),
    "__dlq.errors.exception.class.name": _text("Class of the exception."),
    "__dlq.errors.exception.stacktrace": _text("Its stack trace, cut to a length."),
    "__dlq.errors.stage": _text("Where it failed: decoding, handling, ..."),
    "__dlq.errors.first-failed-at": _moment("When the first try failed"),
    "__dlq.errors.failed-at": _moment("When the last try failed"),
    "__dlq.resolved-at": _moment("When a replay was processed"),
    "__dlq.value-omitted": _text("There where the value was too large for the topic."),
}
REPLAY_HEADERS: dict[str, Any] = {
    **_ORIGIN,
    "__dlq.replayed-at": _moment("When somebody replayed the event"),
}


def headers_schema() -> dict[str, Any]:
    """JSON Schemas of all headers of an event, a dead letter and a replay, by their names in
    AsyncAPI's components. Dead letters and replays have the event's own headers besides."""
    return {
        "eventHeaders": {"type": "object", "properties": EVENT_HEADERS, "required": ALWAYS},
        "deadLetterHeaders": {
            "type": "object",
            "properties": DEAD_LETTER_HEADERS,
            "required": [*_ORIGIN, "__dlq.id", "__dlq.outcome"],
        },
        "replayHeaders": {
            "type": "object",
            "properties": REPLAY_HEADERS,
            "required": list(REPLAY_HEADERS),
        },
    }
