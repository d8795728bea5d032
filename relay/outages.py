"""Tracks which servers are unavailable and emits few events about it.

Each thread reports under its own name: repeatedly while it waits, and once when the server is back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from relay.errors import in_a_line
from relay.observe import Events, ServerAvailable, ServerUnavailable
from relay.unavailable import Server

__all__ = ["Outage", "Outages"]

_REMIND_SECONDS = 5.0
# A flapping server is reported this often, or as soon as it stays unavailable for that long.
_FLAPPING_SECONDS = 60.0
_SHORT_SECONDS = 5.0


class Outage:
    """Outages of one server. Thread-safe.

    An event is emitted when the first reporter loses the server, every few seconds while that
    lasts, and when the last reporter has it back.
    server: name for messages. clock: monotonic seconds.
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
        """True while any reporter can't use the server."""
        return bool(self._reporters)

    def unavailable(self, reporter: str, reason: str) -> None:
        """Records that `reporter` can't use the server because of `reason`."""
        reason = in_a_line(reason)
        with self._lock:
            now = self._clock()
            if not self._reporters:
                self._since, self._is_known = now, False
            self._reporters.add(reporter)
            lasted, silent = now - self._since, now - self._emitted_at
            if self._is_known:
                if silent < _REMIND_SECONDS:
                    return
            elif silent < _FLAPPING_SECONDS and lasted < _SHORT_SECONDS:
                return
            self._emitted_at = now
            first, self._is_known = not self._is_known, True
        self._events.emit(ServerUnavailable(self._server, reason, 0.0 if first else lasted))

    def recovered(self, reporter: str) -> None:
        """Records that `reporter` uses the server again, or no longer needs it."""
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

    def of(self, server: Server) -> Outage:
        """Returns the outage of a server."""
        return {"database": self.database, "kafka": self.kafka, "registry": self.registry}[server]

    def recovered(self, reporter: str) -> None:
        """Records that `reporter` is not waiting for any of them."""
        for outage in (self.database, self.kafka, self.registry):
            outage.recovered(reporter)
