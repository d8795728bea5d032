"""The parked runner: the only thread that retries parked and replayed events."""

from __future__ import annotations

from typing import Any, Final

import psycopg

from relay.consume import inbox
from relay.consume.attempt import Attempts, ParkedFailed
from relay.consume.disturbed import undisturbed
from relay.consume.inbox import Head
from relay.consume.retry import RetryPolicy
from relay.consume.session import Sessions, Stopped
from relay.consume.signals import Signals
from relay.consume.thread import GroupThread
from relay.observe import DeadLetterWritten, EventParked, ParkedEventSettled

__all__ = ["ParkedRunner"]

POLL_S: Final = 0.2
# Heads of one queue before the other due queues get their turn.
TURN: Final = 100


class ParkedRunner(GroupThread):
    """Several processes may run one for the same group: the key's lock admits one of them to a
    queue."""

    def __init__(
        self, sessions: Sessions, attempts: Attempts, retry: RetryPolicy, signals: Signals
    ) -> None:
        super().__init__(f"{attempts.group.name} parked", sessions.new("parked"), signals)
        self._attempts = attempts
        self._retry = retry

    def work(self) -> None:
        """Drains the queues whose head is due, then waits."""
        group = self._attempts.group.name
        while not self._signals.ending.is_set():
            due = self._session.run(lambda connection: inbox.due_queues(connection, group))
            # Each due queue gets its turn, whether others fail or not.
            drained = [self._drain(queue) for queue in due]
            if not any(drained):
                self._signals.parked.wait(POLL_S)
                self._signals.parked.clear()

    def _drain(self, queue: int) -> bool:
        """Handles heads of `queue` until one fails or none is due; False when none was due."""
        for turn in range(TURN):
            if self._signals.ending.is_set():
                raise Stopped
            try:
                head = undisturbed(lambda: self._attempt(queue), self._signals.ending)
            except ParkedFailed as failed:
                self._postpone_or_give_up(failed)
                return True
            if head is None:
                return turn > 0
            self._signals.events.emit(
                ParkedEventSettled(
                    self._attempts.group.name, head.record.event_id, head.attempts + 1
                )
            )
            # It may have resolved a dead letter.
            self._signals.dead_letters.set()
        return True

    def _attempt(self, queue: int) -> Head | None:
        return self._session.run(lambda connection: self._attempts.parked(connection, queue))

    def _postpone_or_give_up(self, failed: ParkedFailed) -> None:
        """Sets when the head is tried again, or writes its dead letter."""
        head, failure = failed.head, failed.failure
        group = self._attempts.group.name
        made = head.round_attempts + 1
        gives_up = self._retry.gives_up(failure, made)

        def settle(connection: psycopg.Connection[Any]) -> None:
            with connection.transaction():
                connection.execute("select pg_advisory_xact_lock(%s)", (head.queue,))
                if not gives_up:
                    pause = self._retry.parked_pause(failure, made)
                    inbox.postpone(connection, group, head, failure, pause)
                elif inbox.unpark(connection, group, head):
                    inbox.write_dead_letter(
                        connection, group, head.record,
                        attempts=head.attempts + 1, failure=failure,
                        first_failed_at=head.first_failed_at,
                    )  # fmt: skip

        self._session.run(settle)
        kind = DeadLetterWritten if gives_up else EventParked
        self._signals.events.emit(
            kind(group, head.record.event_id, head.attempts + 1, failure.message)
        )
        if gives_up:
            self._signals.dead_letters.set()
