"""How an attempt ends that raised an error: whose failure that is, or that it is repeated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from relay.consume import inbox
from relay.consume.failures import (
    Disturbed,
    Failure,
    Fatal,
    Interrupted,
    Stage,
    is_disturbance,
)
from relay.consume.handler_session import TRANSACTION_ENDED
from relay.consume.parked_queues import Head
from relay.errors import said
from relay.unavailable import unavailable_server

__all__ = ["AttemptFailed", "ParkedFailed", "Staged", "cause_of", "ended"]


class AttemptFailed(Exception):
    """The transaction was rolled back because of one record.

    index: which of the records; None when the commit itself failed and it is not known.
    """

    def __init__(self, index: int | None, failure: Failure) -> None:
        super().__init__(failure.message)
        self.index = index
        self.failure = failure


class ParkedFailed(Exception):
    """An attempt of parked events failed and was rolled back.

    head: the one that was handled last. certain: no other one can be to blame.
    """

    def __init__(self, head: Head, failure: Failure, certain: bool) -> None:
        super().__init__(failure.message)
        self.head = head
        self.failure = failure
        self.certain = certain


class Staged(Exception):
    """Carries an error out of the transaction with the stage that it happened in."""

    def __init__(self, stage: Stage, cause: BaseException) -> None:
        super().__init__(said(cause))
        self.stage = stage
        self.cause = cause


def ended(
    connection: psycopg.Connection[Any],
    stage: Stage | None,
    error: Exception,
    failed: Callable[[Failure], Exception],
) -> Exception:
    """What an attempt ends with that raised `error`.

    stage: None where it had not begun. The result is `failed(...)` where the event failed,
    Disturbed where others may be the reason, Interrupted where nothing was tried or the
    commit's outcome is unknown.
    """
    cause = cause_of(error)
    if isinstance(error, Staged):
        stage = error.stage
    if stage is None:
        return Interrupted(f"could not enter the inbox: {said(error)}")
    if isinstance(error, psycopg.Error) and error.sqlstate == inbox.TRANSACTION_CHANGED:
        stage, cause = "handle", Fatal(TRANSACTION_ENDED)
    if stage == "handle" and is_disturbance(cause, connection):
        return Disturbed(failed(Failure.of(stage, cause)))
    if stage != "handle" and _is_interruption(cause, connection):
        return Interrupted(f"the attempt did not take place: {said(cause)}")
    return failed(Failure.of(stage, cause))


def cause_of(error: Exception) -> BaseException:
    """The error itself, where it was carried out of the transaction."""
    return error.cause if isinstance(error, Staged) else error


def _is_interruption(error: BaseException, connection: psycopg.Connection[Any]) -> bool:
    """Whether an attempt that failed outside of its handler is to be repeated."""
    if isinstance(error, psycopg.errors.IdleInTransactionSessionTimeout):
        return False
    return (
        isinstance(error, Interrupted) or connection.broken or unavailable_server(error) is not None
    )
