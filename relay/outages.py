"""Which servers are unavailable now, and the few log lines that say so.

Threads that lose a server report it here under a name of their own, again and again while they
wait, and once more when they have it back. The log gets one line when the first of them loses it,
at most one a minute while it lasts, and one when the last of them has it back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from relay.errors import in_a_line

__all__ = ["Outage", "Outages"]

log = logging.getLogger(__name__)

_REMIND_SECONDS = 60.0
# A server that comes and goes is reported once a minute, or as soon as it stays away for this long.
_SHORT_SECONDS = 5.0


class Outage:
    """What is known about one server. Safe for several threads.

    server: its name in the log. clock: seconds that only go forward.
    """

    def __init__(self, server: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._server = server
        self._clock = clock
        self._lock = threading.Lock()
        self._reporters: set[str] = set()
        self._since = 0.0
        self._logged_at = float("-inf")
        self._is_logged = False

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
                self._since, self._is_logged = now, False
            self._reporters.add(reporter)
            lasted, silent = now - self._since, now - self._logged_at
            if silent < _REMIND_SECONDS and (self._is_logged or lasted < _SHORT_SECONDS):
                return
            self._logged_at = now
            if self._is_logged:
                log.warning(
                    "%s is still unavailable after %.0f s: %s", self._server, lasted, reason
                )
            else:
                self._is_logged = True
                log.warning("%s is unavailable, waiting for it: %s", self._server, reason)

    def back(self, reporter: str) -> None:
        """`reporter` uses the server again, or no longer needs it."""
        if reporter not in self._reporters:
            return
        with self._lock:
            self._reporters.discard(reporter)
            if not self._reporters and self._is_logged:
                lasted = self._clock() - self._since
                log.warning("%s is available again after %.1f s", self._server, lasted)


class Outages:
    """The servers that one process depends on."""

    def __init__(self) -> None:
        self.database = Outage("PostgreSQL")
        self.kafka = Outage("Kafka")
        self.registry = Outage("the schema registry")
