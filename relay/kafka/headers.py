"""Names of the headers that records of events, dead letters and replays carry.

Events: CloudEvents 1.0, Kafka protocol binding, binary mode.
"""

from __future__ import annotations

from datetime import UTC, datetime

EVENT_ID = "ce_id"
EVENT_TYPE = "ce_type"
TIME = "ce_time"
SUBJECT = "ce_subject"
AGGREGATE_TYPE = "ce_aggregatetype"
SEQUENCE = "ce_sequence"
CORRELATION_ID = "ce_correlationid"
CAUSATION_ID = "ce_causationid"
ACTOR_ID = "ce_actorid"
SOURCE = "ce_source"
# Of an event that is published under several major versions: each copy names the id and the event
# type of its original.
ORIGINAL_ID = "ce_originalid"
ORIGINAL_TYPE = "ce_originaltype"

# Name in the event's metadata -> header.
METADATA = (
    ("actorId", ACTOR_ID),
    ("correlationId", CORRELATION_ID),
    ("causationId", CAUSATION_ID),
    ("sourceModule", SOURCE),
    ("traceparent", "traceparent"),
    ("tracestate", "tracestate"),
)

# The most that the columns for them hold; attempts leave room for those still to come.
MOST_PARTITION = 2**31 - 1
MOST_OFFSET = 2**63 - 1
MOST_ATTEMPT = 2**30
_DIGITS = len(str(MOST_OFFSET))

OWN_PREFIX = "__dlq."
OUTCOME = "__dlq.outcome"
LETTER_ID = "__dlq.id"
EVENT = "__dlq.event"
GROUP = "__dlq.errors.group"
ATTEMPT = "__dlq.errors.delivery.count"
ORIGIN_TOPIC = "__dlq.errors.topic"
ORIGIN_PARTITION = "__dlq.errors.partition"
ORIGIN_OFFSET = "__dlq.errors.offset"
MESSAGE = "__dlq.errors.message"
STAGE = "__dlq.errors.stage"
EXCEPTION_CLASS = "__dlq.errors.exception.class.name"
EXCEPTION_STACKTRACE = "__dlq.errors.exception.stacktrace"
FIRST_FAILED_AT = "__dlq.errors.first-failed-at"
FAILED_AT = "__dlq.errors.failed-at"
VALUE_OMITTED = "__dlq.value-omitted"
RESOLVED_AT = "__dlq.resolved-at"
REPLAYED_AT = "__dlq.replayed-at"


def text(value: bytes | None) -> str | None:
    """A header's value as text that PostgreSQL can keep; None when it is not."""
    if value is None:
        return None
    try:
        decoded = value.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in decoded else decoded


def number(value: str | None, most: int) -> int | None:
    """A header's text as a number from 0 to `most`; None when it is none.

    Anybody may have written the header: a number that its column can't hold must not reach it.
    """
    if value is None or len(value) > _DIGITS or not (value.isascii() and value.isdecimal()):
        return None
    found = int(value)
    return found if found <= most else None


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def without_own(
    headers: tuple[tuple[str, bytes | None], ...],
) -> tuple[tuple[str, bytes | None], ...]:
    """The event's original headers: without those that dead letters and replays add."""
    return tuple(header for header in headers if not header[0].startswith(OWN_PREFIX))
