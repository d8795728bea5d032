"""Converts dates and times (RFC 3339, ISO 8601) to and from Avro's counts since the epoch.

Times may also be as PostgreSQL writes them: a space for the T, offsets of hours alone, or to the
second. Digits below the unit of the schema are cut: a clock is finer than most schemas.
"""

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
# The years 1 to 9999, which RFC 3339 can represent.
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"(\d\d):(\d\d):(\d\d)(?:\.(\d+))?", re.ASCII)
_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d(?:\.\d+)?)"
    r"(Z|z|([+-])(\d\d)(?::(\d\d)(?::(\d\d))?)?)?",
    re.ASCII,
)


class Refused(ValueError):
    """A value does not fit its type; the message says why and what to send instead."""


def days(text: object) -> int:
    """Days since 1970-01-01 of `YYYY-MM-DD`. Raises Refused."""
    if not isinstance(text, str) or not _DATE.fullmatch(text):
        raise Refused(f'{shown(text)} is not a date. Send a string such as "2026-01-31"')
    try:
        return date.fromisoformat(text).toordinal() - EPOCH_DAY
    except ValueError:
        raise Refused(f"{shown(text)} is not a date of the calendar") from None


def time_of_day(text: object, unit: str) -> int:
    """Counts of `unit` (millis, micros, nanos) since midnight of `HH:MM:SS[.fraction]`.

    Digits of the fraction below the unit are cut. Raises Refused.
    """
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise Refused(f'{shown(text)} is not a time of day. Send a string such as "23:59:59.999"')
    hours, minutes, seconds = int(match[1]), int(match[2]), int(match[3])
    if hours > 23 or minutes > 59 or seconds > 59:
        raise Refused(f"{shown(text)} is not a time of day: the last one is 23:59:59")
    digits = len(str(PER_SECOND[unit])) - 1
    fraction = (match[4] or "")[:digits].ljust(digits, "0")
    whole = (hours * 60 + minutes) * 60 + seconds
    return whole * PER_SECOND[unit] + int(fraction)


def instant(text: object, unit: str, *, local: bool = False) -> int:
    """Counts of `unit` since the epoch of an RFC 3339 timestamp.

    local: the string must have no offset (local-timestamp-*); otherwise it must have one.
    Digits of the fraction below the unit are cut. Raises Refused, also where the timestamp in UTC
    is outside the years 1 to 9999.
    """
    match = _INSTANT.fullmatch(text) if isinstance(text, str) else None
    example = "2026-01-31T23:59:59.5" + ("" if local else "Z")
    if match is None:
        raise Refused(f'{shown(text)} is not a timestamp. Send a string such as "{example}"')
    offset = match[3]
    if local and offset:
        raise Refused(f'{shown(text)} has an offset, a local timestamp must not. Send "{example}"')
    if not local and not offset:
        raise Refused(f'{shown(text)} is a naive datetime: it needs an offset. Send "{example}"')
    counts = days(match[1]) * 86_400 * PER_SECOND[unit] + time_of_day(match[2], unit)
    if offset in (None, "Z", "z"):
        return counts
    hours, minutes, seconds = (int(match[group] or 0) for group in (5, 6, 7))
    if hours > 23 or minutes > 59 or seconds > 59:
        raise Refused(f"{shown(text)}: its offset is out of range. Use one within 23:59")
    east = (hours * 60 + minutes) * 60 + seconds
    counts -= (east if match[4] == "+" else -east) * PER_SECOND[unit]
    if not FIRST_SECOND <= counts // PER_SECOND[unit] <= LAST_SECOND:
        raise Refused(
            f"{shown(text)} is outside the years 1 to 9999 in UTC, which readers can't represent. "
            'Send it with "Z"'
        )
    return counts


def date_text(count: int) -> str:
    """`YYYY-MM-DD` of days since the epoch. Raises OverflowError outside years 1 to 9999."""
    try:
        return date.fromordinal(count + EPOCH_DAY).isoformat()
    except (OverflowError, ValueError):
        raise OverflowError(f"{count} days since 1970 is not in the years 1 to 9999") from None


def time_text(count: int, unit: str) -> str:
    """`HH:MM:SS[.fraction]` of counts of `unit` since midnight; the fraction has 3, 6 or 9 digits.

    Raises OverflowError outside a day.
    """
    seconds, fraction = divmod(count, PER_SECOND[unit])
    if not 0 <= seconds < 86_400:
        raise OverflowError(f"{count} {unit} is not a time of day")
    tail = f".{fraction:0{len(str(PER_SECOND[unit])) - 1}d}" if fraction else ""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{tail}"


def instant_text(count: int, unit: str, *, local: bool = False) -> str:
    """RFC 3339 timestamp in UTC (`Z`), without offset where local.

    Raises OverflowError outside years 1 to 9999.
    """
    day, rest = divmod(count, 86_400 * PER_SECOND[unit])
    return f"{date_text(day)}T{time_text(rest, unit)}{'' if local else 'Z'}"


def shown(value: object) -> str:
    """Returns the type and size of a value of a payload, as errors name it.

    Never the value: errors go to logs, tables and topics that personal data must not be in.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return f"a string of {len(value)} characters"
        case list():
            return f"an array of {len(value)}"
        case dict():
            return f"an object of {len(value)} fields"
    return f"a value of type {type(value).__name__}"
