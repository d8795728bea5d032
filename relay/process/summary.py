"""Counts what a process did, for the line that it ends with."""

from __future__ import annotations

from relay import observe
from relay.observe import Event

__all__ = ["Tally"]


class Tally:
    """Subscribes to relay.observe.Events.

    published: events of the outbox, copies not counted. handled: by a group, parked ones too.
    dead: dead letters that a group wrote.
    """

    def __init__(self) -> None:
        self.published = self.handled = self.dead = 0

    def __call__(self, event: Event) -> None:
        """Counts one event."""
        match event:
            case observe.BatchPublished():
                self.published += event.published
            case observe.EventsHandled():
                self.handled += event.count
            case observe.ParkedEventSettled():
                self.handled += 1
            case observe.DeadLetterWritten():
                self.dead += 1
