"""The parked runner: the only one that tries parked and replayed events."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

import psycopg

from relay.consume import inbox
from relay.consume.attempt import Attempts, ParkedFailed
from relay.consume.lane import Policy
from relay.consume.session import Session, Stopped

__all__ = ["ParkedRunner"]

log = logging.getLogger(__name__)

POLL_S: Final = 0.2
# Heads of one queue before the other due queues get their turn.
TURN: Final = 100


class ParkedRunner(threading.Thread):
    """Owns its connection. Several processes may run one for the same group: the key's lock
    lets one of them at a queue.

    buried: called after an event got or resolved a dead letter.
    """

    def __init__(
        self,
        session: Session,
        attempts: Attempts,
        policy: Policy,
        stop: threading.Event,
        *,
        buried: Callable[[], None],
        crashed: Callable[[BaseException], None],
    ) -> None:
        super().__init__(name=f"{attempts.group.name} parked", daemon=True)
        self._session = session
        self._attempts = attempts
        self._policy = policy
        self._ending = stop
        self._buried = buried
        self._crashed = crashed
        self._nudged = threading.Event()

    def wake(self) -> None:
        """There may be something due, or the end has come."""
        self._nudged.set()

    def run(self) -> None:
        """The thread: drains the queues whose head is due, then waits."""
        group = self._attempts.group.name
        try:
            while not self._ending.is_set():
                due = self._session.run(lambda connection: inbox.due_queues(connection, group))
                # Each due queue gets its turn, whatever came of the others.
                drained = [self._drain(queue) for queue in due]
                if not any(drained):
                    self._nudged.wait(POLL_S)
                    self._nudged.clear()
        except Stopped:
            log.debug("%s stopped", self.name)
        except BaseException as error:
            self._crashed(error)
        finally:
            self._session.close()

    def _drain(self, queue: int) -> bool:
        """Handles heads of `queue` until one fails or none is due; whether there was any."""
        for turn in range(TURN):
            if self._ending.is_set():
                raise Stopped
            try:
                head = self._session.run(
                    lambda connection: self._attempts.parked(connection, queue)
                )
            except ParkedFailed as failed:
                self._failed(failed)
                return True
            if head is None:
                return turn > 0
            self._buried()
        return True

    def _failed(self, failed: ParkedFailed) -> None:
        head, failure = failed.head, failed.failure
        group = self._attempts.group.name
        made = head.round_attempts + 1
        exhausted = self._policy.exhausted(failure, made)

        def settle(connection: psycopg.Connection[Any]) -> None:
            with connection.transaction():
                connection.execute("select pg_advisory_xact_lock(%s)", (head.queue,))
                if not exhausted:
                    pause = self._policy.parked_pause_ms(failure, made)
                    inbox.postpone(connection, group, head, failure, pause)
                elif inbox.unpark(connection, group, head):
                    inbox.bury(
                        connection, group, head.record,
                        attempts=head.attempts + 1, failure=failure,
                        first_failed_at=head.first_failed_at,
                    )  # fmt: skip

        self._session.run(settle)
        log.log(
            logging.WARNING if exhausted else logging.INFO,
            "%s: attempt %d of %s failed, %s: %s",
            self.name, head.attempts + 1, head.record.event_id,
            "it is dead" if exhausted else "it stays parked", failure.message,
        )  # fmt: skip
        if exhausted:
            self._buried()
