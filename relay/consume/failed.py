"""What becomes of an event whose attempt failed: it is parked, postponed, or gets a dead letter."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import psycopg

from relay.consume import inbox, parked_queues
from relay.consume.failures import Failure
from relay.consume.inbox import Verdict
from relay.consume.parked_queues import Head
from relay.consume.record import Record
from relay.consume.retry import RetryPolicy
from relay.consume.signals import Signals
from relay.observe import DeadLetterWritten, EventParked

__all__ = ["FailedEvents"]

Result = TypeVar("Result")

# A session that was just ended has its key's lock for a moment.
LOCK_PATIENCE_S: Final = 2.0
LOCK_PAUSE_S: Final = 0.02


class Run(Protocol):
    """Runs an operation on a connection, as Session.run does."""

    def __call__(self, operation: Callable[[psycopg.Connection[Any]], Result], /) -> Result:
        """Its result."""
        ...


@dataclass(frozen=True)
class FailedEvents:
    """Of one group; any thread may call any method."""

    group: str
    retry: RetryPolicy
    signals: Signals

    def park(self, run: Run, record: Record, made: int, failure: Failure, server: str) -> Verdict:
        """Parks an event that was read, or writes its dead letter when its attempts are used up.

        FREE then, otherwise what else the event is. made: its attempts. server: where the positions
        that the record follows were read. Raises ServerChanged.
        """
        gives_up = self.retry.gives_up(failure, made)

        def settle(connection: psycopg.Connection[Any]) -> Verdict:
            with connection.transaction():
                verdict = inbox.lock(connection, self.group, record, server)
                if verdict is Verdict.PARKED:
                    parked_queues.append(connection, self.group, [record])
                elif verdict is Verdict.FREE and gives_up:
                    inbox.write_dead_letter(
                        connection, self.group, record,
                        attempts=made, failure=failure, first_failed_at=None,
                    )  # fmt: skip
                elif verdict is Verdict.FREE:
                    parked_queues.park(
                        connection, self.group, record,
                        attempts=made, failure=failure,
                        pause=self.retry.parked_pause(failure, made),
                    )  # fmt: skip
            return verdict

        deadline = time.monotonic() + LOCK_PATIENCE_S
        while (verdict := run(settle)) is Verdict.BUSY and time.monotonic() < deadline:
            time.sleep(LOCK_PAUSE_S)
        if verdict is Verdict.FREE:
            self._tell(record, made, failure, gives_up)
        if not (verdict is Verdict.FREE and gives_up):
            self.signals.parked.set()
        return verdict

    def postpone(self, run: Run, head: Head, failure: Failure) -> None:
        """Sets when a parked event is tried again, or writes its dead letter."""
        made = head.round_attempts + 1
        gives_up = self.retry.gives_up(failure, made)

        def settle(connection: psycopg.Connection[Any]) -> None:
            with connection.transaction():
                connection.execute("select pg_advisory_xact_lock(%s)", (head.queue,))
                if not gives_up:
                    pause = self.retry.parked_pause(failure, made)
                    parked_queues.postpone(connection, self.group, head, failure, pause)
                elif parked_queues.unpark(connection, self.group, [head]):
                    inbox.write_dead_letter(
                        connection, self.group, head.record,
                        attempts=head.attempts + 1, failure=failure,
                        first_failed_at=head.first_failed_at,
                    )  # fmt: skip

        run(settle)
        self._tell(head.record, head.attempts + 1, failure, gives_up)

    def _tell(self, record: Record, attempts: int, failure: Failure, gives_up: bool) -> None:
        kind = DeadLetterWritten if gives_up else EventParked
        self.signals.events.emit(kind(self.group, record.event_id, attempts, failure.message))
        if gives_up:
            self.signals.dead_letters.set()
