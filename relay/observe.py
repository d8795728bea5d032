"""Named events of the core. Logs, metrics, spans and audit subscribe to them.

An event is a value. The core emits it after the fact, and does not know who subscribes. A
subscriber runs in the thread that emits, so it has to be quick. One that fails is logged once and
never disturbs the core.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "BatchPublished",
    "DeadLetterWritten",
    "Event",
    "EventDead",
    "EventDiscarded",
    "EventFailed",
    "EventParked",
    "Events",
    "EventsHandled",
    "EventsHeld",
    "FlagsRedone",
    "GroupLag",
    "HandlingFailed",
    "ParkedEventSettled",
    "ServerAvailable",
    "ServerUnavailable",
    "ShardInDoubt",
    "ShardTakenOver",
    "ShardsGained",
    "ShardsLost",
    "Subscriber",
]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ShardsGained:
    """The group has given shards to this worker."""

    shards: Sequence[int]


@dataclass(frozen=True, slots=True)
class ShardsLost:
    """The group has taken shards from this worker, or it ends."""

    shards: Sequence[int]


@dataclass(frozen=True, slots=True)
class ShardTakenOver:
    """A shard goes on. number: of its last transaction. seconds: that it took."""

    shard: int
    epoch: int
    number: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ShardInDoubt:
    """A shard's producer was dropped; the shard is retaken once the group confirms it.

    server: that is unavailable, where that is the reason.
    """

    shard: int
    reason: str
    server: str | None


@dataclass(frozen=True, slots=True)
class FlagsRedone:
    """A take-over wrote flags that the last owner had not written. count: of them."""

    shard: int
    count: int


@dataclass(frozen=True, slots=True)
class BatchPublished:
    """A transaction committed.

    rows: outbox rows that it covers, held ones too. published: those of them that it published,
    copies not counted. seconds: from its begin to its commit.
    lag_seconds: age of its oldest row at the commit, by the event's occurred_at; None without a
    row whose time can be read.
    """

    shard: int
    number: int
    rows: int
    published: int
    seconds: float
    lag_seconds: float | None


@dataclass(frozen=True, slots=True)
class EventsHeld:
    """Rows that a committed transaction did not publish, since they wait after an earlier event
    of their aggregate, or for a schema or topic. count: of them."""

    shard: int
    count: int


@dataclass(frozen=True, slots=True)
class EventFailed:
    """An attempt to publish an event failed; there will be another. attempt: its number."""

    event_id: str
    aggregate_type: str
    aggregate_id: str
    attempt: int
    error: str


@dataclass(frozen=True, slots=True)
class EventDead:
    """The relay gave an event up after its last attempt. blocks: whether later events of its
    aggregate wait."""

    event_id: str
    aggregate_type: str
    aggregate_id: str
    attempts: int
    error: str
    blocks: bool


@dataclass(frozen=True, slots=True)
class EventDiscarded:
    """An event that a person gave up is passed; later events of its aggregate go on."""

    event_id: str
    aggregate_type: str
    aggregate_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class EventsHandled:
    """A group's transaction committed. count: of its events. seconds: from its beginning."""

    group: str
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class GroupLag:
    """How far a group is behind the end of a partition that this process reads, every few seconds.

    offsets: from the first one that is not settled to the partition's end, markers of transactions
    among them.
    """

    group: str
    topic: str
    partition: int
    offsets: int


@dataclass(frozen=True, slots=True)
class HandlingFailed:
    """An attempt of a group to handle an event failed; there will be another."""

    group: str
    event_id: str
    attempt: int
    stage: str
    error: str


@dataclass(frozen=True, slots=True)
class EventParked:
    """An event waits in the database for its next attempt; later events of its key wait too."""

    group: str
    event_id: str
    attempts: int
    error: str


@dataclass(frozen=True, slots=True)
class DeadLetterWritten:
    """A group gave an event up: after its last attempt, or at once for a fatal failure."""

    group: str
    event_id: str
    attempts: int
    error: str


@dataclass(frozen=True, slots=True)
class ParkedEventSettled:
    """A parked or replayed event was handled after all."""

    group: str
    event_id: str
    attempts: int


@dataclass(frozen=True, slots=True)
class ServerUnavailable:
    """A server can't be used. seconds: since when."""

    server: str
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ServerAvailable:
    """A server can be used again. seconds: that it could not."""

    server: str
    seconds: float


Event: TypeAlias = (
    ShardsGained
    | ShardsLost
    | ShardTakenOver
    | ShardInDoubt
    | FlagsRedone
    | BatchPublished
    | EventsHeld
    | EventFailed
    | EventDead
    | EventDiscarded
    | EventsHandled
    | GroupLag
    | HandlingFailed
    | EventParked
    | DeadLetterWritten
    | ParkedEventSettled
    | ServerUnavailable
    | ServerAvailable
)
Subscriber: TypeAlias = Callable[[Event], None]


class Events:
    """The subscribers of one process. Subscribe before the core starts; emit from any thread."""

    def __init__(self, *subscribers: Subscriber) -> None:
        self._subscribers = list(subscribers)
        self._failed: set[int] = set()

    def subscribe(self, subscriber: Subscriber) -> None:
        """Calls `subscriber` with every event from now on."""
        self._subscribers.append(subscriber)

    def emit(self, event: Event) -> None:
        """Calls all subscribers. Raises nothing."""
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception:
                if id(subscriber) not in self._failed:
                    self._failed.add(id(subscriber))
                    name = type(event).__name__
                    log.exception("a subscriber failed on %s; later failures are not logged", name)
