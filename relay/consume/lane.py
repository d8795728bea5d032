"""A lane: one thread that settles the records of its keys, one transaction at a time."""

from __future__ import annotations

import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from relay.consume import inbox
from relay.consume.attempt import AttemptFailed, Attempts
from relay.consume.backoff import Backoff
from relay.consume.failures import Failure
from relay.consume.inbox import Verdict
from relay.consume.partition import Item
from relay.consume.session import Session, Stopped

__all__ = ["Lane", "Policy"]

log = logging.getLogger(__name__)

# Tries in the lane before an event is parked; other keys of the lane wait meanwhile.
LANE_ATTEMPTS: Final = 3
LANE_PAUSES_S: Final = ((0.05, 0.15), (0.15, 0.5))


@dataclass(frozen=True)
class Policy:
    """When an event is tried again. max_attempts: of one round, in the lane and parked."""

    max_attempts: int
    backoff: Backoff

    def exhausted(self, failure: Failure, round_attempts: int) -> bool:
        """Whether an event that failed `round_attempts` times is given up."""
        return failure.fatal or round_attempts >= self.max_attempts

    def parked_pause_ms(self, failure: Failure, round_attempts: int) -> float:
        """Pause before the next try of a parked event; the lane's tries count as one.

        The longest where other members may be able to act on it: a deployment takes its time, and
        must not use the event's attempts up.
        """
        if failure.elsewhere:
            return self.backoff.max_ms
        return self.backoff.jittered_ms(max(1, round_attempts - LANE_ATTEMPTS + 1))


class Lane(threading.Thread):
    """Owns its connection and its queue; others only `put` into the queue.

    released: called with each item that the lane has let go of, settled or dropped.
    parked, buried: called after an event was parked or got a dead letter.
    crashed: called with an error that the lane can't go on after.
    """

    def __init__(
        self,
        name: str,
        session: Session,
        attempts: Attempts,
        policy: Policy,
        stop: threading.Event,
        *,
        released: Callable[[Item], None],
        parked: Callable[[], None],
        buried: Callable[[], None],
        crashed: Callable[[BaseException], None],
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._session = session
        self._attempts = attempts
        self._policy = policy
        self._ending = stop
        self._released = released
        self._parked = parked
        self._buried = buried
        self._crashed = crashed
        self._queue: deque[Item] = deque()
        self._filled = threading.Condition()

    def put(self, items: Iterable[Item]) -> None:
        """Queues records behind those that are there.

        Those of one fetch come at once, or the lane would start with the first alone.
        """
        with self._filled:
            self._queue.extend(items)
            self._filled.notify()

    def wake(self) -> None:
        """Lets the thread see that it is to end."""
        with self._filled:
            self._filled.notify()

    def run(self) -> None:
        """The thread: takes what is queued, settles it, and starts over."""
        try:
            while items := self._take():
                self._work(items)
        except BaseException as error:
            self._crashed(error)
        finally:
            self._session.close()

    def _take(self) -> list[Item]:
        """The next records for one transaction; empty at the end. A replay comes alone."""
        with self._filled:
            self._filled.wait_for(lambda: self._queue or self._ending.is_set())
            if self._ending.is_set():
                return []
            items = [self._queue.popleft()]
            while (
                self._queue
                and len(items) < self._attempts.group.batch
                and not items[0].replay
                and not self._queue[0].replay
            ):
                items.append(self._queue.popleft())
            return items

    def _work(self, items: Sequence[Item]) -> None:
        running = [item for item in items if item.partition.start()]
        settled: set[int] = set()
        try:
            self._settle(running, settled)
        except Stopped:
            log.debug("%s stopped with %d records unsettled", self.name, len(running))
        finally:
            for index, item in enumerate(running):
                item.partition.stop(item.offset, finished=index in settled)
            for item in items:
                self._released(item)

    def _settle(self, items: Sequence[Item], settled: set[int]) -> None:
        """Settles records in order and notes the index of each in `settled`.

        Several are tried in one transaction. If that fails, each gets its own, and the one that
        failed has had its first attempt. Those of a revoked partition are dropped, and they alone:
        a dropped record of another would be overtaken by the next of its key. Raises Stopped at
        the process's end.
        """
        failures: dict[int, Failure] = {}
        if len(items) > 1:
            try:
                self._attempt(items, 1)
                settled.update(range(len(items)))
                return
            except AttemptFailed as failed:
                if failed.index is not None:
                    failures[failed.index] = failed.failure
            except Stopped:
                if self._ending.is_set():
                    raise
        for index, item in enumerate(items):
            try:
                if item.replay:
                    self._park_replay(item)
                else:
                    self._settle_one(item, failures.get(index))
            except Stopped:
                if self._ending.is_set():
                    raise
            else:
                settled.add(index)

    def _settle_one(self, item: Item, failure: Failure | None) -> None:
        made = 0 if failure is None else 1
        while True:
            if failure is not None:
                if made >= LANE_ATTEMPTS or self._policy.exhausted(failure, made):
                    self._hand_over(item, made, failure)
                    return
                if self._ending.wait(random.uniform(*LANE_PAUSES_S[made - 1])):
                    raise Stopped
            if item.partition.revoked:
                raise Stopped
            try:
                self._attempt([item], made + 1)
                return
            except AttemptFailed as failed:
                failure = failed.failure
                made += 1
                log.info(
                    "%s: attempt %d of %s failed: %s",
                    self.name, made, item.record.event_id, failure.message,
                )  # fmt: skip

    def _attempt(self, items: Sequence[Item], number: int) -> None:
        records = [(item.record, number) for item in items]
        self._session.run(
            lambda connection: self._attempts.live(connection, records),
            wanted=lambda: not any(item.partition.revoked for item in items),
        )

    def _hand_over(self, item: Item, made: int, failure: Failure) -> None:
        """Parks the event, or writes its dead letter when its attempts are used up."""
        exhausted = self._policy.exhausted(failure, made)
        group, record = self._attempts.group.name, item.record

        def settle(connection: psycopg.Connection[Any]) -> Verdict:
            with connection.transaction():
                _, verdict = inbox.lock(connection, group, record)
                if verdict is Verdict.PARKED:
                    inbox.append(connection, group, record)
                elif verdict is Verdict.FREE and exhausted:
                    inbox.bury(
                        connection, group, record,
                        attempts=made, failure=failure, first_failed_at=None,
                    )  # fmt: skip
                elif verdict is Verdict.FREE:
                    inbox.park(
                        connection, group, record,
                        attempts=made, failure=failure,
                        pause_ms=self._policy.parked_pause_ms(failure, made),
                    )  # fmt: skip
            return verdict

        verdict = self._session.run(settle, wanted=lambda: not item.partition.revoked)
        if verdict is Verdict.FREE and exhausted:
            log.warning("%s: %s is dead: %s", self.name, record.event_id, failure.message)
            self._buried()
        else:
            self._parked()

    def _park_replay(self, item: Item) -> None:
        """A replay is never run here: the parked runner alone does, in its key's order."""

        def settle(connection: psycopg.Connection[Any]) -> None:
            with connection.transaction():
                inbox.park_replay(connection, self._attempts.group.name, item.record)

        self._session.run(settle, wanted=lambda: not item.partition.revoked)
        self._parked()
