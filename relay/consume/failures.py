"""The kinds of failures of an event, and which of them count as an attempt."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import psycopg

from relay.errors import (
    DatabaseUnavailable,
    RegistryUnavailable,
    RelayError,
    described,
    said,
)
from relay.postgres.connect import storable
from relay.unavailable import OUTAGES_WHILE_HANDLING

__all__ = [
    "Failure",
    "Fatal",
    "Interrupted",
    "Poison",
    "Retryable",
    "Stage",
    "Unhandled",
    "is_outage",
]

Stage = Literal["decode", "handle", "commit"]

MESSAGE_CHARACTERS = 2_000
STACKTRACE_CHARACTERS = 8_000


class Retryable(RelayError):
    """A handler raises it for a failure that may pass. Any other exception counts as one too."""


class Unhandled(Retryable):
    """This process has no handler for an event that another member of the group has parked."""


class Fatal(RelayError):
    """A handler raises it for a failure that will not pass: the event is dead at once."""


class Poison(Fatal):
    """The record can't be read as an event: wrong framing, unknown schema, does not decode."""


class Interrupted(RelayError):
    """The attempt did not take place, for a reason other than the event; it is repeated."""


@dataclass(frozen=True)
class Failure:
    """One failed attempt. stacktrace is truncated at its start, the error at its end.

    fatal: no retry. elsewhere: another member of the group may be able to handle it.
    """

    stage: Stage
    fatal: bool
    elsewhere: bool
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
            error_class=storable(f"{kind.__module__}.{kind.__qualname__}"),
            message=storable(text)[:MESSAGE_CHARACTERS],
            stacktrace=storable(trace)[-STACKTRACE_CHARACTERS:],
            at=datetime.now(UTC),
        )


def is_outage(error: BaseException, connection: psycopg.Connection[Any]) -> bool:
    """Whether `error` means an unavailable database or registry rather than a fault of the event.

    A session that the server ended because the handler left it idle for too long is the
    handler's failure: without counting it, a slow handler would be started forever.
    """
    if isinstance(error, Interrupted | RegistryUnavailable | DatabaseUnavailable):
        return True
    if isinstance(error, psycopg.errors.IdleInTransactionSessionTimeout):
        return False
    if isinstance(error, psycopg.OperationalError) and connection.broken:
        return True
    # Errors that are not PostgreSQL's may have any value there.
    sqlstate = getattr(error, "sqlstate", None)
    return isinstance(sqlstate, str) and sqlstate in OUTAGES_WHILE_HANDLING
