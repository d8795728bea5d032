"""The second argument of a handler."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relay.bus import DomainEventBus
from relay.outbox.context import EventContext, event_context

if TYPE_CHECKING:
    import psycopg

    from relay.consume.record import Record
    from relay.events import DomainEvent

__all__ = ["Context"]


@dataclass(frozen=True, slots=True)
class Context:
    """The handler's side of one attempt.

    connection: psycopg connection inside the handler's transaction. Whatever the handler writes
    through it is committed together with the event's inbox row, or not at all; psycopg refuses
    to commit or roll back in a handler.
    group: name of the consumer group. event_id: id of the event. attempt: 1 for the first,
    parking and replays count on.
    metadata: actorId, correlationId, causationId, sourceModule, as far as the event has them.
    record: the raw record with topic, partition, offset, key and headers.
    """

    connection: psycopg.Connection[Any]
    group: str
    event_id: str
    event_type: str
    attempt: int
    metadata: dict[str, str]
    record: Record

    def publish(self, event: DomainEvent) -> str:
        """Writes `event` to the outbox in the handler's transaction and returns its id.

        Its causationId is this event's id, its correlationId is passed on, unless the event
        carries others. Raises what DomainEventBus.publish raises.
        """
        with self.as_cause():
            return DomainEventBus.publish(self.connection, event)

    def as_cause(self) -> AbstractContextManager[EventContext]:
        """What is published inside has this event as its cause."""
        return event_context(
            actor_id=self.metadata.get("actorId"),
            correlation_id=self.metadata.get("correlationId") or self.event_id,
            causation_id=self.event_id,
        )
