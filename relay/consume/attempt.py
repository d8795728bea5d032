"""One attempt: a database transaction that holds inbox rows, effects and published events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from relay.consume import inbox
from relay.consume.context import Context
from relay.consume.decode import Decoder
from relay.consume.failures import (
    Disturbed,
    Failure,
    Fatal,
    Interrupted,
    ServerChanged,
    Stage,
    Unhandled,
    is_disturbance,
)
from relay.consume.group import Group
from relay.consume.handler import refuse_unrun
from relay.consume.handler_session import TRANSACTION_ENDED, clean, lent
from relay.consume.inbox import Head, Verdict
from relay.consume.record import Record
from relay.consume.session import idle_timeout_ms
from relay.errors import said
from relay.outbox.context import event_context
from relay.unavailable import unavailable_server

__all__ = ["AttemptFailed", "Attempts", "ParkedFailed"]


class AttemptFailed(Exception):
    """The transaction was rolled back because of one record.

    index: which of the records; None when the commit itself failed and it is not known.
    """

    def __init__(self, index: int | None, failure: Failure) -> None:
        super().__init__(failure.message)
        self.index = index
        self.failure = failure


@dataclass(frozen=True)
class Attempts:
    """Makes attempts for one group; its threads share it, each with its own connection."""

    group: Group
    decoder: Decoder
    session_timeout_ms: int

    def live(
        self,
        connection: psycopg.Connection[Any],
        records: Sequence[tuple[Record, int]],
        server: str,
    ) -> list[Verdict]:
        """Handles records in one transaction: each is run, parked, or found settled.

        records: each with the number of the attempt that this is. server: where the positions that
        the records follow were read.
        Raises AttemptFailed for a failed attempt, and what else an attempt can end with; see
        `_ended`. In all cases the transaction was rolled back, or its outcome is unknown and a
        repetition finds it settled.
        """
        index: int | None = None
        stage: Stage | None = None
        try:
            clean(connection)
            with connection.transaction():
                entered = inbox.enter(
                    connection,
                    self.group.name,
                    [record for record, _ in records],
                    idle_timeout_ms=idle_timeout_ms(self.session_timeout_ms),
                    statement_timeout_ms=self.group.statement_timeout_ms,
                )
                if entered.server != server:
                    raise ServerChanged
                stage = "commit"
                handled: list[tuple[str, int]] = []
                for index, ((record, number), verdict) in enumerate(  # noqa: B007
                    zip(records, entered.verdicts, strict=True)
                ):
                    if verdict is Verdict.RUN:
                        # Without a handler it named no type, and is of none of the group's.
                        if self._handle(connection, record, number):
                            handled.append((record.event_id, number))
                    elif verdict is Verdict.PARKED:
                        inbox.append(connection, self.group.name, record)
                index = 0 if len(records) == 1 else None
                if handled:
                    # Last of all: nothing is settled whose handler did not return, whatever the
                    # handlers after it did to the transaction.
                    inbox.settle(connection, self.group.name, handled, entered.transaction_id)
        except ServerChanged:
            raise
        except Exception as error:
            ended = self._ended(
                connection, stage, error, lambda failure: AttemptFailed(index, failure)
            )
            raise ended from _cause(error)
        return entered.verdicts

    def parked(self, connection: psycopg.Connection[Any], queue: int) -> Head | None:
        """Claims the head of `queue` if it is due and handles it; None when there was nothing.

        Raises ParkedFailed for a failed attempt, otherwise as `live`.
        """
        head: Head | None = None
        try:
            clean(connection)
            with connection.transaction():
                head = inbox.claim(
                    connection,
                    self.group.name,
                    queue,
                    idle_timeout_ms=idle_timeout_ms(self.session_timeout_ms),
                    statement_timeout_ms=self.group.statement_timeout_ms,
                )
                if head is None:
                    return None
                if not head.is_processed:
                    number = head.attempts + 1
                    if not self._handle(connection, head.record, number):
                        raise _Staged("decode", _unhandled(head.record))
                    handled = [(head.record.event_id, number)]
                    inbox.settle(connection, self.group.name, handled, head.transaction_id)
                    inbox.resolve(connection, self.group.name, head)
                inbox.unpark(connection, self.group.name, head)
        except Exception as error:
            if (claimed := head) is None:
                raise Interrupted(f"could not claim a parked event: {error}") from error
            ended = self._ended(
                connection, "commit", error, lambda failure: ParkedFailed(claimed, failure)
            )
            raise ended from _cause(error)
        return head

    def _handle(self, connection: psycopg.Connection[Any], record: Record, number: int) -> bool:
        """Calls the record's handler; False when there is none."""
        # Nothing in this thread may end the program: an exit is the event's failure, too.
        try:
            decoded = self.decoder.decode(record, self.group)
        except BaseException as error:
            raise _Staged("decode", error) from error
        if decoded is None:
            return False
        event_type, subscription, event = decoded
        metadata = event.metadata.to_json() if event.metadata else {}
        context = Context(
            connection, self.group.name, record.event_id, event_type, number, metadata, record
        )
        # Whatever its annotations say that it returns.
        handler: Callable[[Any, Context], object] = subscription.handler
        try:
            with (
                event_context(
                    actor_id=metadata.get("actorId"),
                    correlation_id=metadata.get("correlationId") or record.event_id,
                    causation_id=record.event_id,
                ),
                lent(connection),
            ):
                refuse_unrun(handler(event, context))
        except BaseException as error:
            raise _Staged("handle", error) from error
        return True

    def _ended(
        self,
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
        cause = _cause(error)
        if isinstance(error, _Staged):
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


def _cause(error: Exception) -> BaseException:
    return error.cause if isinstance(error, _Staged) else error


def _is_interruption(error: BaseException, connection: psycopg.Connection[Any]) -> bool:
    """Whether an attempt that failed outside of its handler is to be repeated."""
    if isinstance(error, psycopg.errors.IdleInTransactionSessionTimeout):
        return False
    return (
        isinstance(error, Interrupted) or connection.broken or unavailable_server(error) is not None
    )


class ParkedFailed(Exception):
    """An attempt of a parked event failed and was rolled back."""

    def __init__(self, head: Head, failure: Failure) -> None:
        super().__init__(failure.message)
        self.head = head
        self.failure = failure


class _Staged(Exception):
    """Carries an error out of the transaction with the stage that it happened in."""

    def __init__(self, stage: Stage, cause: BaseException) -> None:
        super().__init__(said(cause))
        self.stage = stage
        self.cause = cause


def _unhandled(record: Record) -> Unhandled:
    """The failure of a parked event in a member that has no handler for it.

    The member that parked it had a handler, with newer or older code. To settle it here would lose
    it.
    """
    return Unhandled(
        f"this process has no handler for {record.event_type or 'its type'}, as the one that "
        "parked the event had. Register one, or let the members that have it try again"
    )
