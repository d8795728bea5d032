"""The watchdog: ends handlers that take longer than their group's time limit (H43)."""

from __future__ import annotations

import logging
import time
from typing import Final

from relay.consume.failed import FailedEvents
from relay.consume.failures import Failure, TimeLimitExceeded
from relay.consume.session import Session
from relay.consume.signals import Signals
from relay.consume.thread import GroupThread
from relay.consume.time_limit import Handling, Handlings
from relay.errors import RelayError

__all__ = ["Watchdog"]

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.5
# For a handler to return after its session was ended, and the error was raised in its thread.
GRACE_S: Final = 5.0


class Watchdog(GroupThread):
    """Ends the session of a handler whose time is over, and raises an error in its thread: its
    attempt has failed then, and its thread goes on.

    Where the thread does not return, as from a call without a timeout, the attempt is counted
    from here and the process ends, since the thread can't be ended alone.
    """

    def __init__(
        self, session: Session, handlings: Handlings, failed: FailedEvents, signals: Signals
    ) -> None:
        super().__init__(f"{failed.group} watchdog", session, signals)
        self._handlings = handlings
        self._failed = failed

    def work(self) -> None:
        """Looks twice a second. Raises RelayError where a thread does not return."""
        while not self._wait():
            for handling in self._handlings.interrupt():
                log.warning(
                    "the handler of event %s is interrupted after %g s",
                    handling.record.event_id, self._handlings.seconds,
                )  # fmt: skip
                self._end_session(handling)
            if stuck := self._handlings.stuck(GRACE_S):
                for handling in stuck:
                    self._count(handling)
                counted = (
                    "Its attempt is counted"
                    if stuck[0].alone
                    else "It had a batch of events, which the next process handles one by one"
                )
                raise RelayError(
                    f"the handler of event {stuck[0].record.event_id} has not returned within "
                    f"{self._handlings.seconds:g} s and can't be interrupted. {counted}; this "
                    "process ends, to be started again. Give what the handler waits for a timeout"
                )

    def _wait(self) -> bool:
        """Whether the group ends."""
        began = time.monotonic()
        ending = self._signals.ending.wait(LOOK_EVERY_S)
        if (stood_still := time.monotonic() - began - LOOK_EVERY_S) > LOOK_EVERY_S:
            self._handlings.forgive(stood_still)
        return ending

    def _end_session(self, handling: Handling) -> None:
        self._session.run(
            lambda connection: connection.execute(
                "select pg_terminate_backend(%s)", (handling.backend,)
            )
        )

    def _count(self, handling: Handling) -> None:
        if not handling.alone:
            return  # which of its events is to blame is found out one by one, see deaths.py
        failure = Failure.of("handle", TimeLimitExceeded(self._handlings.seconds))
        if handling.head is not None:
            self._failed.postpone(self._session.run, handling.head, failure)
        else:
            self._failed.park(
                self._session.run, handling.record, handling.number, failure, handling.server
            )
