"""One attempt: a database transaction that holds inbox rows, effects and published events."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from relay.consume import inbox, parked_queues
from relay.consume.attempt_failed import AttemptFailed, ParkedFailed, Staged, cause_of, ended
from relay.consume.calls import Calls, Due
from relay.consume.context import Context
from relay.consume.decode import Decoder
from relay.consume.failures import (
    Interrupted,
    ServerChanged,
    Stage,
    Unhandled,
)
from relay.consume.group import Group
from relay.consume.handler_session import clean
from relay.consume.inbox import Verdict
from relay.consume.parked_queues import BEGINNING, Claimed, Head, Place
from relay.consume.record import Record
from relay.consume.session import idle_timeout_ms
from relay.consume.time_limit import Handlings

__all__ = ["Attempts"]

# A transaction takes no further event after it, or slow handlers would keep many keys locked for
# long, and the session idle for longer than it may be.
MOST_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Attempts:
    """Makes attempts for one group; its threads share it, each with its own connection."""

    group: Group
    decoder: Decoder
    session_timeout_ms: int
    handlings: Handlings

    def live(
        self,
        connection: psycopg.Connection[Any],
        records: Sequence[tuple[Record, int]],
        server: str,
    ) -> list[Verdict]:
        """Handles records in one transaction; the verdict of each is what was done.

        RUN, PARKED after others of its key, or found SETTLED; nothing, where its key is BUSY or the
        transaction took too long, so that it comes LATER.
        records: each with the number of the attempt that this is. server: where the positions that
        the records follow were read.
        Raises AttemptFailed for a failed attempt, and what else an attempt can end with; see
        `ended`. In all cases the transaction was rolled back, or its outcome is unknown and a
        repetition finds it settled.
        """
        index: int | None = None
        stage: Stage | None = None
        until = time.monotonic() + MOST_SECONDS
        calls = Calls(connection, self.handlings, server)
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
                waiting: list[Record] = []
                for index, (record, number) in enumerate(records):
                    if entered.verdicts[index] is Verdict.PARKED:
                        waiting.append(record)
                    elif entered.verdicts[index] is not Verdict.RUN:
                        continue
                    elif handled and time.monotonic() > until:
                        entered.verdicts[index] = Verdict.LATER
                    # Without a handler it named no type, and is of none of the group's.
                    elif (due := self._decode(connection, record, number, index)) is not None:
                        calls.add(due)
                        handled.append((record.event_id, number))
                calls.flush()
                index = 0 if len(records) == 1 else None
                if waiting:
                    parked_queues.append(connection, self.group.name, waiting)
                if handled:
                    # Last of all: nothing is settled whose handler did not return, whatever the
                    # handlers after it did to the transaction.
                    inbox.settle(connection, self.group.name, handled, entered.transaction_id)
        except ServerChanged:
            raise
        except Exception as error:
            if calls.current:
                index = calls.current[0].index if len(calls.current) == 1 else None
            outcome = ended(connection, stage, error, lambda failure: AttemptFailed(index, failure))
            raise outcome from cause_of(error)
        return entered.verdicts

    def parked(
        self,
        connection: psycopg.Connection[Any],
        queues: Sequence[tuple[int, Place]],
        most: int,
    ) -> list[Head]:
        """Claims the first events of queues that are due and handles them in one transaction;
        those that are settled now.

        queues: each with the place after which it goes on. most: events of each.
        Raises ParkedFailed for a failed attempt, otherwise as `live`.
        """
        claimed: Claimed | None = None
        head: Head | None = None
        settled: list[Head] = []
        until = time.monotonic() + MOST_SECONDS
        group = self.group.name
        calls = Calls(connection, self.handlings, "")
        try:
            clean(connection)
            with connection.transaction():
                claimed = self._claim(connection, queues, most)
                if claimed is None:
                    return []
                handled: list[Head] = []
                for index, head in enumerate(claimed.heads):
                    if handled and time.monotonic() > until:
                        break
                    if not head.is_processed:
                        number = head.attempts + 1
                        due = self._decode(connection, head.record, number, index, head)
                        if due is None:
                            raise Staged("decode", _unhandled(head.record))
                        calls.add(due)
                        handled.append(head)
                    settled.append(head)
                calls.flush()
                if handled:
                    inbox.settle(
                        connection, group,
                        [(each.record.event_id, each.attempts + 1) for each in handled],
                        claimed.transaction_id,
                    )  # fmt: skip
                    parked_queues.resolve(connection, group, handled)
                parked_queues.unpark(connection, group, settled, claimed.empty)
        except Exception as error:
            if calls.current:
                head = calls.current[-1].head
            if claimed is None or (failed := head) is None:
                raise Interrupted(f"could not claim parked events: {error}") from error
            # Nothing was handled before the first one that could be the reason.
            certain = len(claimed.heads) == 1 or (
                failed is claimed.heads[0] and isinstance(error, Staged)
            )
            outcome = ended(
                connection, "commit", error, lambda failure: ParkedFailed(failed, failure, certain)
            )
            raise outcome from cause_of(error)
        return settled

    def head(self, connection: psycopg.Connection[Any], queue: int) -> Head | None:
        """The first event of a queue that is due, without handling it. Raises Interrupted."""
        try:
            with connection.transaction():
                claimed = self._claim(connection, [(queue, BEGINNING)], 1)
        except Exception as error:
            raise Interrupted(f"could not look at a parked event: {error}") from error
        return claimed.heads[0] if claimed is not None and claimed.heads else None

    def _claim(
        self, connection: psycopg.Connection[Any], queues: Sequence[tuple[int, Place]], most: int
    ) -> Claimed | None:
        return parked_queues.claim(
            connection,
            self.group.name,
            queues,
            most=most,
            idle_timeout_ms=idle_timeout_ms(self.session_timeout_ms),
            statement_timeout_ms=self.group.statement_timeout_ms,
        )

    def _decode(
        self,
        connection: psycopg.Connection[Any],
        record: Record,
        number: int,
        index: int,
        head: Head | None = None,
    ) -> Due | None:
        """The event of a record, for its handler; None when there is none. Raises Staged."""
        # Nothing in this thread may end the program: an exit is the event's failure, too.
        try:
            decoded = self.decoder.decode(record, self.group)
        except BaseException as error:
            raise Staged("decode", error) from error
        if decoded is None:
            if record.event_type is not None:
                raise Staged("decode", _unhandled(record))
            return None
        event_type, subscription, event = decoded
        metadata = event.metadata.to_json() if event.metadata else {}
        context = Context(
            connection, self.group.name, record.event_id, event_type, number, metadata, record
        )
        return Due(index, subscription, event, context, head)


def _unhandled(record: Record) -> Unhandled:
    """The failure of an event in a member that has no handler for its type.

    Another member has one, with newer or older code. To settle it here would lose it.
    """
    return Unhandled(
        f"this process has no handler for {record.event_type or 'its type'}, as other members of "
        "the group have. Register one, or let the members that have it try again"
    )
