"""Which servers are unavailable now, and the few events that say so.

Threads that lose a server report it here under a name of their own, again and again while they
wait, and once more when they have it back. There is an event when the first of them loses it, at
most one a minute while it lasts, and one when the last of them has it back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from relay.errors import in_a_line
from relay.observe import Events, ServerAvailable, ServerUnavailable

__all__ = ["Outage", "Outages"]

_REMIND_SECONDS = 60.0
# A server that comes and goes is reported once a minute, or as soon as it stays away for this long.
_SHORT_SECONDS = 5.0


class Outage:
    """What is known about one server. Safe for several threads.

    server: its name for people. clock: seconds that only go forward.
    """

    def __init__(
        self, server: str, events: Events, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._server = server
        self._events = events
        self._clock = clock
        self._lock = threading.Lock()
        self._reporters: set[str] = set()
        self._since = 0.0
        self._emitted_at = float("-inf")
        self._is_known = False

    @property
    def lasts(self) -> bool:
        """Whether anybody misses the server now."""
        return bool(self._reporters)

    def away(self, reporter: str, reason: str) -> None:
        """`reporter` can't use the server because of `reason`."""
        reason = in_a_line(reason)
        with self._lock:
            now = self._clock()
            if not self._reporters:
                self._since, self._is_known = now, False
            self._reporters.add(reporter)
            lasted, silent = now - self._since, now - self._emitted_at
            if silent < _REMIND_SECONDS and (self._is_known or lasted < _SHORT_SECONDS):
                return
            self._emitted_at = now
            first, self._is_known = not self._is_known, True
        self._events.emit(ServerUnavailable(self._server, reason, 0.0 if first else lasted))

    def back(self, reporter: str) -> None:
        """`reporter` uses the server again, or no longer needs it."""
        if reporter not in self._reporters:
            return
        with self._lock:
            self._reporters.discard(reporter)
            if self._reporters or not self._is_known:
                return
            self._is_known = False
            lasted = self._clock() - self._since
        self._events.emit(ServerAvailable(self._server, lasted))


class Outages:
    """The servers that one process depends on."""

    def __init__(self, events: Events) -> None:
        self.database = Outage("PostgreSQL", events)
        self.kafka = Outage("Kafka", events)
        self.registry = Outage("the schema registry", events)

    def no_longer_missed_by(self, reporter: str) -> None:
        """`reporter` needs none of them any more, or has all of them."""
        for outage in (self.database, self.kafka, self.registry):
            outage.back(reporter)
