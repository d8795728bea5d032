"""The kinds of failures of an event, and which of them count as an attempt."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import psycopg

from relay.errors import RelayError, described, said
from relay.postgres.connect import storable
from relay.unavailable import DISTURBANCES

__all__ = [
    "Disturbed",
    "Failure",
    "Fatal",
    "Interrupted",
    "Poison",
    "Retryable",
    "ServerChanged",
    "Stage",
    "SubscriptionsChanged",
    "TimeLimitExceeded",
    "Unhandled",
    "is_disturbance",
]

Stage = Literal["decode", "handle", "commit"]

MESSAGE_CHARACTERS = 2_000
STACKTRACE_CHARACTERS = 8_000


class Retryable(RelayError):
    """A handler raises it for a failure that may pass. Any other exception counts as one too."""


class Unhandled(Retryable):
    """This process has no handler for an event that another member of the group has parked."""


class TimeLimitExceeded(Retryable):
    """A handler has not returned within its group's time limit, of so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the handler has not returned within {seconds:g} s. Give what it waits for a timeout, "
            "or the group a larger time_limit_s"
        )


class Fatal(RelayError):
    """A handler raises it for a failure that will not pass: the event is dead at once."""


class Poison(Fatal):
    """The record can't be read as an event: wrong framing, unknown schema, does not decode."""


class Interrupted(RelayError):
    """The attempt did not take place, for a reason other than the event; it is repeated."""


class Disturbed(Exception):
    """The attempt failed in a handler, perhaps because of others; see is_disturbance.

    counted: the error that it is where that happens again and again.
    """

    def __init__(self, counted: Exception) -> None:
        super().__init__(str(counted))
        self.counted = counted


class ServerChanged(Exception):
    """A session is on another running server than the group's position was read from (H40)."""


class SubscriptionsChanged(Exception):
    """A member of the group has begun to handle an event type, or none does any more."""


@dataclass(frozen=True)
class Failure:
    """One failed attempt. stacktrace is truncated at its start, the error at its end.

    fatal: no retry. elsewhere: another member of the group may be able to handle it. slow: it
    took the time limit, so the next attempt must not keep others waiting.
    """

    stage: Stage
    fatal: bool
    elsewhere: bool
    slow: bool
    error_class: str
    message: str
    stacktrace: str
    at: datetime

    @classmethod
    def of(cls, stage: Stage, error: BaseException) -> Failure:
        """What `error`, raised in `stage`, leaves in headers and tables."""
        kind = type(error)
        # The text of other errors, such as the 2 of SystemExit(2), says little without the class.
        text = said(error) if isinstance(error, Exception) else described(error)
        trace = "".join(traceback.format_exception(error))
        return cls(
            stage=stage,
            fatal=isinstance(error, Fatal),
            elsewhere=isinstance(error, Unhandled),
            slow=isinstance(error, TimeLimitExceeded),
            error_class=storable(f"{kind.__module__}.{kind.__qualname__}"),
            message=storable(text)[:MESSAGE_CHARACTERS],
            stacktrace=storable(trace)[-STACKTRACE_CHARACTERS:],
            at=datetime.now(UTC),
        )


def is_disturbance(error: BaseException, connection: psycopg.Connection[Any]) -> bool:
    """Whether a handler on `connection` may have failed because of others: its connection was lost,
    or the server refused a statement in a way that may pass.

    A session that the server ended because the handler left it idle for too long is the
    handler's failure: without counting it, a slow handler would be started again and again.
    """
    if isinstance(error, TimeLimitExceeded):
        return False
    found = _database_error(error)
    if isinstance(found, psycopg.errors.IdleInTransactionSessionTimeout):
        return False
    return connection.broken or (found is not None and found.sqlstate in DISTURBANCES)


def _database_error(error: BaseException | None) -> psycopg.Error | None:
    """`error`, or what it was raised from, as SQLAlchemy does."""
    while error is not None and not isinstance(error, psycopg.Error):
        error = error.__cause__
    return error
