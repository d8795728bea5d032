"""One attempt: a database transaction that holds inbox rows, effects and published events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from relay.consume import inbox
from relay.consume.context import Context
from relay.consume.decode import Decoder
from relay.consume.failures import Failure, Interrupted, Retryable, Stage, Unhandled, is_outage
from relay.consume.group import Group
from relay.consume.handler import refuse_unrun
from relay.consume.inbox import Head, Verdict
from relay.consume.record import Record
from relay.consume.session import idle_timeout_ms
from relay.errors import said
from relay.outbox.context import event_context

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
        self, connection: psycopg.Connection[Any], records: Sequence[tuple[Record, int]]
    ) -> list[Verdict]:
        """Handles records in one transaction: each is run, parked, or found settled.

        records: each with the number of the attempt that this is.
        Raises AttemptFailed for a failed attempt; Interrupted, or the outage's own error, when
        it can't be called an attempt. In all cases the transaction was rolled back, or its
        outcome is unknown and a repetition finds it settled.
        """
        index: int | None = None
        entered = False
        try:
            with connection.transaction():
                verdicts = inbox.enter(
                    connection,
                    self.group.name,
                    records,
                    idle_timeout_ms=idle_timeout_ms(self.session_timeout_ms),
                    statement_timeout_ms=self.group.statement_timeout_ms,
                )
                entered = True
                for index, ((record, number), verdict) in enumerate(  # noqa: B007
                    zip(records, verdicts, strict=True)
                ):
                    if verdict is Verdict.RUN:
                        # Without a handler: it named no type, and is of none of the group's.
                        self._handle(connection, record, number)
                    elif verdict is Verdict.PARKED:
                        inbox.append(connection, self.group.name, record)
                index = 0 if len(records) == 1 else None
        except Exception as error:
            if not entered and isinstance(error, psycopg.Error):
                raise Interrupted(f"could not enter the inbox: {error}") from error
            raise self._failed(connection, index, error) from error
        return verdicts

    def parked(self, connection: psycopg.Connection[Any], queue: int) -> Head | None:
        """Claims the head of `queue` if it is due and handles it; None when there was nothing.

        Raises ParkedFailed for a failed attempt, otherwise as `live`.
        """
        head: Head | None = None
        try:
            with connection.transaction():
                head = inbox.claim(
                    connection,
                    self.group.name,
                    queue,
                    idle_timeout_ms=idle_timeout_ms(self.session_timeout_ms),
                )
                if head is None:
                    return None
                if inbox.begin_parked(
                    connection,
                    self.group.name,
                    head,
                    statement_timeout_ms=self.group.statement_timeout_ms,
                ):
                    if not self._handle(connection, head.record, head.attempts + 1):
                        raise _Staged("decode", _unhandled(head.record))
                    inbox.resolve(connection, self.group.name, head)
                inbox.unpark(connection, self.group.name, head)
        except Exception as error:
            if head is None:
                raise Interrupted(f"could not claim a parked event: {error}") from error
            failed = self._failed(connection, 0, error)
            raise ParkedFailed(head, failed.failure) from error
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
            with event_context(
                actor_id=metadata.get("actorId"),
                correlation_id=metadata.get("correlationId") or record.event_id,
                causation_id=record.event_id,
            ):
                refuse_unrun(handler(event, context))
        except BaseException as error:
            raise _Staged("handle", error) from error
        _still_in_transaction(connection)
        return True

    def _failed(
        self, connection: psycopg.Connection[Any], index: int | None, error: Exception
    ) -> AttemptFailed:
        """The failure that `error` is; raises Interrupted where the event did not cause it."""
        stage: Stage = "commit"
        cause: BaseException = error
        if isinstance(error, _Staged):
            stage, cause = error.stage, error.cause
        if is_outage(cause, connection):
            raise Interrupted(f"the attempt did not take place: {said(cause)}") from cause
        return AttemptFailed(index, Failure.of(stage, cause))


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


def _still_in_transaction(connection: psycopg.Connection[Any]) -> None:
    """Refuses a handler that swallowed a database error.

    PostgreSQL answers COMMIT of a failed transaction with a silent rollback: inbox row and
    effects would be gone while the event counted as done.
    """
    if connection.info.transaction_status != TransactionStatus.INTRANS:
        error = Retryable(
            "the handler returned although a database error had ended its transaction. "
            "Let the error out, or guard the statement with connection.transaction()"
        )
        raise _Staged("handle", error)
