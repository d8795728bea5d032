"""Events that could not be published, and the ones that wait behind them: plain arithmetic.

States: `failing` is tried again at a time, `dead` was given up, `held` waits behind an earlier
event of its aggregate. What a shard holds stands in `outbox.holds`; this is its picture in memory.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

__all__ = ["Aggregate", "Hold", "Holds", "State"]

Aggregate = tuple[str, str]
State = Literal["failing", "held", "dead"]


@dataclass(frozen=True, slots=True, order=True)
class Hold:
    """One event that is not published.

    attempts: tries that count; outages don't. next_attempt_at: of a failing one, aware.
    """

    seq: int
    event_id: str = field(compare=False)
    aggregate: Aggregate = field(compare=False)
    state: State = field(compare=False)
    attempts: int = field(compare=False, default=0)
    error: str = field(compare=False, default="")
    next_attempt_at: datetime | None = field(compare=False, default=None)

    def to_json(self) -> dict[str, Any]:
        """As it stands in a position record."""
        return {
            "seq": self.seq,
            "id": self.event_id,
            "aggregate": list(self.aggregate),
            "state": self.state,
            "attempts": self.attempts,
            "error": self.error,
            "next": self.next_attempt_at.isoformat() if self.next_attempt_at else None,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Hold:
        """Reads what to_json wrote."""
        aggregate_type, aggregate_id = value["aggregate"]
        return cls(
            value["seq"],
            value["id"],
            (aggregate_type, aggregate_id),
            value["state"],
            value["attempts"],
            value["error"],
            datetime.fromisoformat(value["next"]) if value["next"] else None,
        )


class Holds:
    """All holds of one shard. on_dead `skip`: later events pass a dead one; `hold`: they wait."""

    def __init__(self, on_dead: Literal["hold", "skip"], holds: Iterable[Hold] = ()) -> None:
        self._on_dead = on_dead
        self._queues: dict[Aggregate, list[Hold]] = {}
        self.apply(holds)

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def __iter__(self) -> Iterator[Hold]:
        for queue in self._queues.values():
            yield from queue

    @property
    def dead_blocks(self) -> bool:
        """Whether later events of an aggregate wait behind a dead one."""
        return self._on_dead == "hold"

    def apply(self, holds: Iterable[Hold]) -> None:
        """Adds holds, in place of earlier ones of the same seq."""
        for hold in holds:
            queue = self._queues.setdefault(hold.aggregate, [])
            if hold in queue:
                queue.remove(hold)
            insort(queue, hold)

    def release(self, seqs: Iterable[int]) -> None:
        """Takes out the holds of events that were published after all."""
        gone = set(seqs)
        for aggregate in list(self._queues):
            left = [hold for hold in self._queues[aggregate] if hold.seq not in gone]
            if left:
                self._queues[aggregate] = left
            else:
                del self._queues[aggregate]

    def blocked(self) -> set[Aggregate]:
        """Aggregates whose new events have to wait."""
        return {aggregate for aggregate in self._queues if self._queue(aggregate)}

    def due(self, now: datetime) -> list[list[Hold]]:
        """For each aggregate whose head may be tried now: its waiting events in order.

        A run ends before the next dead event where dead ones hold.
        """
        runs = []
        for aggregate in self._queues:
            queue = self._queue(aggregate)
            if not queue or not _is_due(queue[0], now):
                continue
            run = [queue[0]]
            for hold in queue[1:]:
                if hold.state == "dead":
                    break
                run.append(hold)
            runs.append(run)
        return runs

    def next_due(self) -> datetime | None:
        """When the next head is to be tried; None when nothing waits for a time."""
        times = [
            queue[0].next_attempt_at
            for queue in map(self._queue, self._queues)
            if queue and queue[0].next_attempt_at
        ]
        return min(times, default=None)

    def _queue(self, aggregate: Aggregate) -> list[Hold]:
        queue = self._queues.get(aggregate, [])
        if self._on_dead == "skip":
            return [hold for hold in queue if hold.state != "dead"]
        return queue


def _is_due(head: Hold, now: datetime) -> bool:
    if head.state == "dead":
        return False
    return head.next_attempt_at is None or head.next_attempt_at <= now
