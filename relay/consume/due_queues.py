"""Parked queues that are due, shared out to the runners of one process."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from relay.consume.parked_queues import BEGINNING, DueQueue, Head, Place, due_queues
from relay.consume.session import Session

__all__ = ["POLL_S", "DueQueues"]

POLL_S: Final = 0.2
# Places that are remembered; a queue whose place is forgotten is read from its beginning.
MOST_PLACES: Final = 1_000


class DueQueues:
    """Each queue is with one runner at a time. Any thread may call any method.

    session: to look for them. batch: events of one transaction. careful: so many of the first
    events are handled one by one, see deaths.py.
    """

    def __init__(self, group: str, session: Session, *, batch: int, careful: int) -> None:
        self.careful = careful
        self._group = group
        self._session = session
        self._batch = batch
        self._lock = threading.Lock()
        self._due: deque[DueQueue] = deque()
        self._taken: set[int] = set()
        self._look_again_at = 0.0
        # Where long queues go on.
        self._places: dict[int, Place] = {}

    def take(self, *, parked: threading.Event) -> list[DueQueue]:
        """Queues for one transaction, until `give_back`; none where nothing is due.

        One whose first event failed while it was parked comes alone: it may well fail again, and
        the others with it. parked: set when something was parked, so that it is looked for at
        once. Raises Stopped.
        """
        with self._lock:
            if not self._due and (parked.is_set() or time.monotonic() >= self._look_again_at):
                parked.clear()
                self._due.extend(each for each in self._look() if each.queue not in self._taken)
                if not self._due:
                    self._look_again_at = time.monotonic() + POLL_S
            queues: list[DueQueue] = []
            most = 1 if self.careful > 0 else self._batch
            while self._due and len(queues) < most:
                if queues and (queues[0].failures or self._due[0].failures):
                    break
                queues.append(self._due.popleft())
            self._taken.update(each.queue for each in queues)
            return queues

    def close(self) -> None:
        """Ends the session."""
        with self._lock:
            self._session.close()

    def _look(self) -> list[DueQueue]:
        return self._session.run(lambda connection: due_queues(connection, self._group))

    def give_back(self, queues: Iterable[DueQueue], *, drained: bool) -> None:
        """A runner is done with `queues`; what is due of them is found again, at once where they
        were drained."""
        with self._lock:
            self._taken.difference_update(each.queue for each in queues)
            if drained:
                self._look_again_at = 0.0

    def handled_carefully(self) -> None:
        """One of the first events was handled."""
        with self._lock:
            self.careful -= 1

    def most_of_each(self, queues: Sequence[DueQueue]) -> int:
        """How many events of each queue come into one transaction."""
        return 1 if queues[0].failures else max(1, self._batch // len(queues))

    def place(self, queue: DueQueue) -> Place:
        """The place in a queue after which a drain goes on."""
        return self._places.get(queue.queue, BEGINNING)

    def settled(self, queues: Sequence[DueQueue], heads: Sequence[Head], most: int) -> None:
        """`heads` were settled, out of at most `most` of each of `queues`."""
        with self._lock:
            known = next(iter(self._places.values()), None)
            if known is not None and heads and known.server != heads[0].place.server:
                self._places.clear()
            for each in queues:
                mine = [head.place for head in heads if head.queue == each.queue]
                # Nothing comes after a place that nothing was found after.
                self._places.pop(each.queue, None)
                if len(mine) >= most:
                    self._places[each.queue] = mine[-1]
            # Queues that have ended are never asked for again.
            while len(self._places) > MOST_PLACES:
                del self._places[next(iter(self._places))]
