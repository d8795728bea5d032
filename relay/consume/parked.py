"""Parked runners: the only threads that retry parked and replayed events."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Final

from relay.consume.attempt import Attempts
from relay.consume.attempt_failed import ParkedFailed
from relay.consume.deaths import Deaths
from relay.consume.disturbed import undisturbed
from relay.consume.due_queues import POLL_S, DueQueues
from relay.consume.failed import FailedEvents
from relay.consume.failures import Disturbed
from relay.consume.parked_queues import DueQueue
from relay.consume.session import Session, Sessions
from relay.consume.signals import Signals
from relay.consume.thread import GroupThread
from relay.observe import ParkedEventSettled

__all__ = ["ParkedRunner", "parked_runners"]

log = logging.getLogger(__name__)

# Groups are many, connections few: where nothing is parked one looks for all.
KEEP_SESSION_S: Final = 30.0


def parked_runners(
    sessions: Sessions,
    attempts: Attempts,
    failed: FailedEvents,
    deaths: Deaths,
    signals: Signals,
) -> list[ParkedRunner]:
    """As many as there are lanes: handlers take as long here as there.

    Other processes run them for the same group: a key's lock admits one transaction to its queue.
    """
    group = attempts.group
    due = DueQueues(
        group.name,
        sessions.new("parked"),
        batch=group.batch,
        careful=group.lanes * group.batch,
    )
    return [
        ParkedRunner(
            f"{group.name} parked {number}",
            sessions.new(f"parked {number}"),
            attempts,
            failed,
            deaths,
            due,
            signals,
        )
        for number in range(group.lanes)
    ]


class ParkedRunner(GroupThread):
    """Drains queues whose first event is due, a transaction at a time."""

    def __init__(
        self,
        name: str,
        session: Session,
        attempts: Attempts,
        failed: FailedEvents,
        deaths: Deaths,
        due: DueQueues,
        signals: Signals,
    ) -> None:
        super().__init__(name, session, signals)
        self._attempts = attempts
        self._failed = failed
        self._deaths = deaths
        self._due = due

    def work(self) -> None:
        """Drains the queues whose head is due, then waits."""
        last = time.monotonic()
        try:
            while not self._signals.ending.is_set():
                queues = self._due.take(parked=self._signals.parked)
                drained = False
                try:
                    drained = bool(queues) and self._drain(queues)
                finally:
                    self._due.give_back(queues, drained=drained)
                if drained:
                    last = time.monotonic()
                    continue
                if time.monotonic() - last > KEEP_SESSION_S:
                    self._session.close()
                self._signals.parked.wait(POLL_S)
        finally:
            self._due.close()

    def _drain(self, queues: Sequence[DueQueue]) -> bool:
        """Handles the first events of queues; False where there was nothing to do.

        If they fail together, each gets a transaction of its own: which of them is to blame is not
        known for certain, so none has used an attempt.
        """
        if self._due.careful > 0:
            drained = [self._drain_carefully(queue) for queue in queues]
            return any(drained)
        most = self._due.most_of_each(queues)
        if len(queues) * most > 1:
            try:
                return self._settle(queues, most)
            except ParkedFailed as failed:
                if failed.certain and len(queues) == 1:
                    self._postpone_or_give_up(failed)
                    return True
            except Disturbed as disturbed:
                log.debug("%s: parked events are handled one by one: %s", self.name, disturbed)
        drained = [self._drain_one_by_one(queue, most) for queue in queues]
        return any(drained)

    def _drain_carefully(self, queue: DueQueue) -> bool:
        """Handles the first event of `queue`, which may be what killed the last process."""
        head = self._session.run(lambda connection: self._attempts.head(connection, queue.queue))
        if head is None:
            # Also ends a queue without an event.
            return self._drain_one_by_one(queue, 1)
        with self._deaths.noted(self._session, head.record) as deaths:
            if deaths >= self._deaths.most:
                failure = self._deaths.failure(deaths)
                self._failed.postpone(self._session.run, head, failure)
                return True
            drained = self._drain_one_by_one(queue, 1)
        self._due.handled_carefully()
        return drained

    def _drain_one_by_one(self, queue: DueQueue, most: int) -> bool:
        """Handles at most `most` events of `queue`, until one fails; False where none was due."""
        for turn in range(most):
            try:
                if not undisturbed(lambda: self._settle([queue], 1), self._signals.ending):
                    return turn > 0
            except ParkedFailed as failed:
                self._postpone_or_give_up(failed)
                return True
        return True

    def _settle(self, queues: Sequence[DueQueue], most: int) -> bool:
        places = [(each.queue, self._due.place(each)) for each in queues]
        settled = self._session.run(
            lambda connection: self._attempts.parked(connection, places, most)
        )
        self._due.settled(queues, settled, most)
        for head in settled:
            self._signals.events.emit(
                ParkedEventSettled(
                    self._attempts.group.name, head.record.event_id, head.attempts + 1
                )
            )
        if settled:
            # Dead letters may have been resolved.
            self._signals.dead_letters.set()
        return bool(settled)

    def _postpone_or_give_up(self, failed: ParkedFailed) -> None:
        self._failed.postpone(self._session.run, failed.head, failed.failure)
