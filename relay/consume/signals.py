"""Signals between the threads of one group's process."""

from __future__ import annotations

import logging
import threading

from relay.observe import Events

__all__ = ["Signals"]

log = logging.getLogger(__name__)


class Signals:
    """Events that wake threads. Any thread may set them and call any method.

    stop: set from outside when the process is to end. ending: all threads are to end. parked: an
    event was parked. dead_letters: a dead letter was written or resolved. server_changed: a lane's
    session is on another server than its records' positions. crash: the first error that ended a
    thread. events: subscribers to the group's work.
    """

    def __init__(self, group: str, stop: threading.Event, events: Events) -> None:
        self.stop = stop
        self.events = events
        self.ending = threading.Event()
        self.parked = threading.Event()
        self.dead_letters = threading.Event()
        self.server_changed = threading.Event()
        self.crash: BaseException | None = None
        self._group = group

    @property
    def stopping(self) -> bool:
        """Whether the process is to end."""
        return self.stop.is_set() or self.ending.is_set()

    def end(self) -> None:
        """Wakes all threads, to end."""
        for event in (self.ending, self.parked, self.dead_letters):
            event.set()

    def crashed(self, error: BaseException) -> None:
        """A thread can't continue after `error`: the process ends with it."""
        log.critical("group %s ends: %r", self._group, error, exc_info=error)
        self.crash = self.crash or error
        self.ending.set()
