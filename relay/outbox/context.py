"""Metadata that events take from their context: who acts, and what led to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["EventContext", "current_context", "event_context"]


@dataclass(frozen=True, slots=True)
class EventContext:
    """Default metadata of the events that are published inside it.

    actor_id: who acts. correlation_id: the business process. causation_id: the event or command
    that led to the published event.
    """

    actor_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None


_NOTHING = EventContext()
_current: ContextVar[EventContext] = ContextVar("relay_event_context", default=_NOTHING)


def current_context() -> EventContext:
    """Returns the innermost context of this thread or task."""
    return _current.get()


@contextmanager
def event_context(
    *,
    actor_id: str | None = None,
    correlation_id: str | None = None,
    causation_id: str | None = None,
) -> Iterator[EventContext]:
    """Sets metadata for events published inside that do not carry their own.

    Values that are not given come from the surrounding context. Applies to this thread or task
    and to the tasks that it starts.
    """
    outer = _current.get()
    context = EventContext(
        outer.actor_id if actor_id is None else actor_id,
        outer.correlation_id if correlation_id is None else correlation_id,
        outer.causation_id if causation_id is None else causation_id,
    )
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)
