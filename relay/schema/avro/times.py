"""Dates and times as text (RFC 3339, ISO 8601) to and from Avro's counts since the epoch."""

from __future__ import annotations

import re
from datetime import date

__all__ = [
    "Refused",
    "date_text",
    "days",
    "instant",
    "instant_text",
    "shown",
    "time_of_day",
    "time_text",
]

PER_SECOND = {"millis": 10**3, "micros": 10**6, "nanos": 10**9}
EPOCH_DAY = date(1970, 1, 1).toordinal()
# Of the years 1 to 9999, which RFC 3339 can write.
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"(\d\d):(\d\d):(\d\d)(?:\.(\d+))?", re.ASCII)
_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d(?:\.\d+)?)(Z|z|[+-]\d\d:\d\d)?", re.ASCII
)


class Refused(ValueError):
    """A value does not fit its type; the message is what is wrong and what would be right."""


def days(text: object) -> int:
    """Days since 1970-01-01 of `YYYY-MM-DD`. Raises Refused."""
    if not isinstance(text, str) or not _DATE.fullmatch(text):
        raise Refused(f'{shown(text)} is no date. Send a string such as "2026-01-31"')
    try:
        return date.fromisoformat(text).toordinal() - EPOCH_DAY
    except ValueError:
        raise Refused(f"{text!r} is no date of the calendar") from None


def time_of_day(text: object, unit: str) -> int:
    """Counts of `unit` (millis, micros, nanos) since midnight of `HH:MM:SS[.fraction]`.

    Raises Refused, also where the fraction is finer than the unit: nothing is rounded.
    """
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise Refused(f'{shown(text)} is no time of day. Send a string such as "23:59:59.999"')
    hours, minutes, seconds = int(match[1]), int(match[2]), int(match[3])
    if hours > 23 or minutes > 59 or seconds > 59:
        raise Refused(f"{text!r} is no time of day: it ends at 23:59:59, without leap seconds")
    fraction = (match[4] or "").rstrip("0")
    digits = len(str(PER_SECOND[unit])) - 1
    if len(fraction) > digits:
        raise Refused(f"{text!r} is finer than the schema's {unit}. Round it before you publish")
    whole = (hours * 60 + minutes) * 60 + seconds
    return whole * PER_SECOND[unit] + int(fraction.ljust(digits, "0") or 0)


def instant(text: object, unit: str, *, local: bool = False) -> int:
    """Counts of `unit` since the epoch of an RFC 3339 timestamp.

    local: the text must have no offset (local-timestamp-*); otherwise it must have one.
    Raises Refused, also where the fraction is finer than the unit: nothing is rounded; and where
    an offset leads out of the years 1 to 9999.
    """
    match = _INSTANT.fullmatch(text) if isinstance(text, str) else None
    example = "2026-01-31T23:59:59.5" + ("" if local else "Z")
    if match is None:
        raise Refused(f'{shown(text)} is no timestamp. Send a string such as "{example}"')
    offset = match[3]
    if local and offset:
        raise Refused(f'{text!r} has an offset, a local timestamp has none. Send "{example}"')
    if not local and not offset:
        raise Refused(
            f'{text!r} is a naive datetime: without an offset it names no instant. Send "{example}"'
        )
    counts = days(match[1]) * 86_400 * PER_SECOND[unit] + time_of_day(match[2], unit)
    if offset in (None, "Z", "z"):
        return counts
    hours, minutes = int(offset[1:3]), int(offset[4:6])
    if hours > 23 or minutes > 59:
        raise Refused(f"{text!r}: no such offset {offset}. Offsets lie within 23:59")
    seconds = (hours * 60 + minutes) * 60
    counts -= (seconds if offset[0] == "+" else -seconds) * PER_SECOND[unit]
    if not FIRST_SECOND <= counts // PER_SECOND[unit] <= LAST_SECOND:
        raise Refused(
            f"{text!r} lies outside the years 1 to 9999 in UTC, so no reader could write it down. "
            'Send it with "Z"'
        )
    return counts


def date_text(count: int) -> str:
    """`YYYY-MM-DD` of days since the epoch. Raises OverflowError outside years 1 to 9999."""
    return date.fromordinal(count + EPOCH_DAY).isoformat()


def time_text(count: int, unit: str) -> str:
    """`HH:MM:SS[.fraction]` of counts of `unit` since midnight; the fraction has 3, 6 or 9 digits.

    Raises OverflowError outside a day.
    """
    seconds, fraction = divmod(count, PER_SECOND[unit])
    if not 0 <= seconds < 86_400:
        raise OverflowError(f"{count} {unit} are no time of day")
    tail = f".{fraction:0{len(str(PER_SECOND[unit])) - 1}d}" if fraction else ""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{tail}"


def instant_text(count: int, unit: str, *, local: bool = False) -> str:
    """RFC 3339 timestamp in UTC (`Z`), without offset where local.

    Raises OverflowError outside years 1 to 9999.
    """
    day, rest = divmod(count, 86_400 * PER_SECOND[unit])
    return f"{date_text(day)}T{time_text(rest, unit)}{'' if local else 'Z'}"


def shown(value: object) -> str:
    """A value as errors show it, cut to 60 characters. Raises RecursionError."""
    try:
        shown = repr(value)
    except RecursionError:
        raise
    except Exception:  # Python writes no integer of many digits, and a class may write itself
        return f"a value of type {type(value).__name__}"
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
