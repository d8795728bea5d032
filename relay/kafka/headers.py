"""Names of the relay's record headers, and functions that read them.

Events: CloudEvents 1.0, Kafka protocol binding, binary content mode, and W3C Trace Context.
"""

from __future__ import annotations

from datetime import UTC, datetime
from operator import methodcaller
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from confluent_kafka import Message

Headers: TypeAlias = tuple[tuple[str, bytes | None], ...]

SPEC_VERSION: Final = "ce_specversion"
EVENT_ID: Final = "ce_id"
EVENT_TYPE: Final = "ce_type"
SOURCE: Final = "ce_source"
SUBJECT: Final = "ce_subject"
TIME: Final = "ce_time"
AGGREGATE_TYPE: Final = "ce_aggregatetype"
SEQUENCE: Final = "ce_sequence"
CORRELATION_ID: Final = "ce_correlationid"
CAUSATION_ID: Final = "ce_causationid"
ACTOR_ID: Final = "ce_actorid"
CONTENT_TYPE: Final = "content-type"
TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
# For an event published under several major versions: the original lists the event types of its
# copies; each copy has the id and the event type of its original.
COPIES: Final = "ce_copies"
ORIGINAL_ID: Final = "ce_originalid"
ORIGINAL_TYPE: Final = "ce_originaltype"

AVRO: Final = "application/avro"

# Stands for the headers of a record that can't be read.
UNREADABLE: Final = "__relay.headers-unreadable"

# Name in the event's metadata -> header.
METADATA: Final = {
    "actorId": ACTOR_ID,
    "correlationId": CORRELATION_ID,
    "causationId": CAUSATION_ID,
    "sourceModule": SOURCE,
    "traceparent": TRACEPARENT,
    "tracestate": TRACESTATE,
}

# Those that the relay gives to events.
OF_EVENTS: Final = frozenset(
    (
        SPEC_VERSION, EVENT_ID, EVENT_TYPE, SOURCE, SUBJECT, TIME, AGGREGATE_TYPE, SEQUENCE,
        CORRELATION_ID, CAUSATION_ID, ACTOR_ID, CONTENT_TYPE, TRACEPARENT, TRACESTATE, COPIES,
        ORIGINAL_ID, ORIGINAL_TYPE,
    )
)  # fmt: skip

# What dead letters and replays add to the event's own headers.
DLQ_PREFIX: Final = "__dlq."
OUTCOME: Final = "__dlq.outcome"
DEAD_LETTER_ID: Final = "__dlq.id"
EVENT: Final = "__dlq.event"
GROUP: Final = "__dlq.errors.group"
ATTEMPT: Final = "__dlq.errors.delivery.count"
ORIGIN_TOPIC: Final = "__dlq.errors.topic"
ORIGIN_PARTITION: Final = "__dlq.errors.partition"
ORIGIN_OFFSET: Final = "__dlq.errors.offset"
MESSAGE: Final = "__dlq.errors.message"
STAGE: Final = "__dlq.errors.stage"
EXCEPTION_CLASS: Final = "__dlq.errors.exception.class.name"
EXCEPTION_STACKTRACE: Final = "__dlq.errors.exception.stacktrace"
FIRST_FAILED_AT: Final = "__dlq.errors.first-failed-at"
FAILED_AT: Final = "__dlq.errors.failed-at"
VALUE_OMITTED: Final = "__dlq.value-omitted"
HEADERS_OMITTED: Final = "__dlq.headers-omitted"
RESOLVED_AT: Final = "__dlq.resolved-at"
REPLAYED_AT: Final = "__dlq.replayed-at"

# Largest values that the columns can hold; attempts leave room to grow.
MOST_PARTITION: Final = 2**31 - 1
MOST_OFFSET: Final = 2**63 - 1
MOST_ATTEMPT: Final = 2**30
_DIGITS: Final = len(str(MOST_OFFSET))


# The client returns a broken list and sets an error then. Python notices that in a call from C; in
# one from Python's code it does not any more once the call has been optimized, and crashes.
_headers = methodcaller("headers")


def headers_of(message: Message) -> Headers:
    """Returns a record's headers in order; names may repeat.

    Only UNREADABLE where a name is not UTF-8, as clients in C, Go or Rust can write it: Python's
    client can't give any of the record's headers then.
    """
    try:
        found = _headers(message) or ()
    except (SystemError, UnicodeDecodeError):
        return ((UNREADABLE, b"a header's name is not UTF-8"),)
    # Of a record that was read: a list of names, and of bytes or None.
    return tuple(found)


def as_bytes(value: str | bytes | None) -> bytes | None:
    """Encodes a string; confluent-kafka's types allow both for keys, values and headers."""
    return value.encode() if isinstance(value, str) else value


def without_dlq(headers: Headers) -> Headers:
    """Returns the headers without those that dead letters and replays add."""
    return tuple(header for header in headers if not header[0].startswith(DLQ_PREFIX))


def string(value: bytes | None) -> str | None:
    """Decodes a header's value; None if it is not a string that PostgreSQL can store."""
    if value is None:
        return None
    try:
        decoded = value.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in decoded else decoded


def number(value: str | None, most: int) -> int | None:
    """Parses a header's value as a number from 0 to `most`; None if it is not one.

    Anybody may have written the header, so it may not fit its column.
    """
    if value is None or len(value) > _DIGITS or not (value.isascii() and value.isdecimal()):
        return None
    found = int(value)
    return found if found <= most else None


def timestamp(at: datetime) -> str:
    """Formats a timestamp as RFC 3339 in UTC with microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
