"""Events that could not be published, and later ones that wait for them: plain arithmetic.

States: `failing` is retried at its time, `dead` used up its attempts, `held` waits for an earlier
event of its aggregate, `discarded` was given up by a person. The table `outbox.holds` is the
source; this is a shard's copy in memory of what may still be published or makes others wait.

Times are pauses in seconds, and points of a monotonic clock: no clock that is set back or differs
from the database's delays a retry.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Aggregate", "Hold", "Holds", "State"]

Aggregate = tuple[str, str]
State = Literal["failing", "held", "dead", "discarded"]


@dataclass(frozen=True, slots=True, order=True)
class Hold:
    """One event that is not published.

    attempts: outages do not count. retry_in: of a failing one, seconds from when this was made or
    read. discard: why a person gave the event up; it is discarded instead of tried.
    """

    seq: int
    event_id: str = field(compare=False)
    aggregate: Aggregate = field(compare=False)
    state: State = field(compare=False)
    attempts: int = field(compare=False, default=0)
    error: str = field(compare=False, default="")
    retry_in: float | None = field(compare=False, default=None)
    discard: str | None = field(compare=False, default=None)

    def to_json(self) -> dict[str, Any]:
        """The form in a position record."""
        return {
            "seq": self.seq,
            "id": self.event_id,
            "aggregate": list(self.aggregate),
            "state": self.state,
            "attempts": self.attempts,
            "error": self.error,
            "retryIn": self.retry_in,
            "discard": self.discard,
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
            value["retryIn"],
            value["discard"],
        )


class Holds:
    """The holds of one shard. on_dead `skip`: later events pass a dead one; `hold`: they wait.

    What is discarded, or dead and passed, is not kept here. now: as time.monotonic().
    """

    def __init__(self, on_dead: Literal["hold", "skip"]) -> None:
        self._on_dead = on_dead
        # Of each aggregate its holds by seq, ascending.
        self._queues: dict[Aggregate, dict[int, Hold]] = {}
        self._aggregates: dict[int, Aggregate] = {}
        # Of failing ones, by seq.
        self._due_at: dict[int, float] = {}
        # No head is due before; None when it is to be found again.
        self._none_due_before: float | None = None

    def __len__(self) -> int:
        return len(self._aggregates)

    def __iter__(self) -> Iterator[Hold]:
        for queue in self._queues.values():
            yield from queue.values()

    @property
    def dead_blocks(self) -> bool:
        """Whether later events of an aggregate wait for a dead one."""
        return self._on_dead == "hold"

    def blocks(self, hold: Hold) -> bool:
        """Whether later events of the aggregate wait for this one."""
        return hold.state != "discarded" and (hold.state != "dead" or self.dead_blocks)

    def apply(self, holds: Iterable[Hold], now: float) -> None:
        """Adds holds, in place of earlier ones of the same seq."""
        unsorted: set[Aggregate] = set()
        for hold in holds:
            if not self.blocks(hold):
                self.release([hold.seq])
                continue
            queue = self._queues.setdefault(hold.aggregate, {})
            if queue and hold.seq not in queue and hold.seq < next(reversed(queue)):
                unsorted.add(hold.aggregate)
            queue[hold.seq] = hold
            self._aggregates[hold.seq] = hold.aggregate
            if hold.state == "failing":
                self._due_at[hold.seq] = now + (hold.retry_in or 0.0)
            else:
                self._due_at.pop(hold.seq, None)
            self._none_due_before = None
        for aggregate in unsorted:
            self._queues[aggregate] = dict(sorted(self._queues[aggregate].items()))

    def release(self, seqs: Iterable[int]) -> None:
        """Removes the holds of events that were published or discarded."""
        for seq in seqs:
            if (aggregate := self._aggregates.pop(seq, None)) is None:
                continue
            queue = self._queues[aggregate]
            del queue[seq]
            self._due_at.pop(seq, None)
            if not queue:
                del self._queues[aggregate]
            self._none_due_before = None

    def blocked(self) -> set[Aggregate]:
        """Aggregates whose new events have to wait."""
        return set(self._queues)

    def due(self, now: float) -> list[list[Hold]]:
        """For each aggregate whose head may be tried now: its waiting events in order.

        A run ends before the next dead event.
        """
        if self._none_due_before is not None and now < self._none_due_before:
            return []
        runs = []
        for queue in self._queues.values():
            head = next(iter(queue.values()))
            if head.state == "dead" or self._due_at.get(head.seq, now) > now:
                continue
            run = []
            for hold in queue.values():
                if hold.state == "dead":
                    break
                run.append(hold)
            runs.append(run)
        if not runs:
            next_due = self.next_due()
            self._none_due_before = math.inf if next_due is None else next_due
        return runs

    def next_due(self) -> float | None:
        """When the next head is due; None when none has a time."""
        heads = (next(iter(queue)) for queue in self._queues.values())
        return min((self._due_at[seq] for seq in heads if seq in self._due_at), default=None)
