"""Who acts and what led to it: metadata that events take from their surroundings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

__all__ = ["EventContext", "current_context", "event_context"]


@dataclass(frozen=True, slots=True)
class EventContext:
    """Defaults for the metadata of events that are published inside it.

    actor_id: who acts; correlation_id: the business process; causation_id: id of the event or
    command that led to the one being published.
    """

    actor_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None


_NOTHING = EventContext()
_current: ContextVar[EventContext] = ContextVar("relay_event_context", default=_NOTHING)


def current_context() -> EventContext:
    """The innermost context of this thread or task."""
    return _current.get()


@contextmanager
def event_context(
    *,
    actor_id: str | None = None,
    correlation_id: str | None = None,
    causation_id: str | None = None,
) -> Iterator[EventContext]:
    """Events published inside take these for metadata that they do not carry themselves.

    What is not given stays as the surrounding context has it. Holds for this thread or task and
    for the tasks that it starts.
    """
    given = {
        "actor_id": actor_id,
        "correlation_id": correlation_id,
        "causation_id": causation_id,
    }
    context = replace(_current.get(), **{name: v for name, v in given.items() if v is not None})
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)
