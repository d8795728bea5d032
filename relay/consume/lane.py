"""Lanes: threads that settle records, each those of its keys, one transaction at a time."""

from __future__ import annotations

import logging
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import psycopg

from relay.consume import inbox, parked_queues
from relay.consume.aside import Aside, joins
from relay.consume.attempt import Attempts
from relay.consume.attempt_failed import AttemptFailed
from relay.consume.deaths import Deaths
from relay.consume.disturbed import undisturbed
from relay.consume.failed import FailedEvents
from relay.consume.failures import Disturbed, Failure, ServerChanged
from relay.consume.in_flight import InFlight
from relay.consume.inbox import Verdict
from relay.consume.partition import Item
from relay.consume.record import Record
from relay.consume.session import Session, Sessions, Stopped
from relay.consume.signals import Signals
from relay.consume.thread import GroupThread
from relay.observe import EventsHandled, HandlingFailed

__all__ = ["Lane", "Lanes"]

log = logging.getLogger(__name__)

# Until a key that another transaction has is tried again.
BUSY_PAUSE_S: Final = 0.05
# Until the source has seen that the server is another one.
SERVER_CHANGED_S: Final = 0.1

_SETTLED: Final = (Verdict.RUN, Verdict.FREE, Verdict.PARKED, Verdict.SETTLED)

Result = TypeVar("Result")


class Lanes:
    """The lanes of one process; only the source's thread calls `put`."""

    def __init__(
        self,
        sessions: Sessions,
        attempts: Attempts,
        failed: FailedEvents,
        deaths: Deaths,
        signals: Signals,
    ) -> None:
        group = attempts.group
        self.in_flight = InFlight()
        self.threads = [
            Lane(
                f"{group.name} lane {number}",
                sessions.new(f"lane {number}"),
                attempts,
                failed,
                deaths,
                self.in_flight,
                signals,
            )
            for number in range(group.lanes)
        ]

    def put(self, items: Iterable[Item]) -> None:
        """Gives each lane its records, in their order."""
        shares: dict[int, list[Item]] = {}
        for item in items:
            shares.setdefault(_lane_of(item.record, len(self.threads)), []).append(item)
        for number, share in shares.items():
            self.threads[number].put(share)

    def wake(self) -> None:
        """Wakes the lanes, so that they see the end."""
        for lane in self.threads:
            lane.wake()


class Lane(GroupThread):
    """Settles the records of its queue; other threads only `put` into it."""

    def __init__(
        self,
        name: str,
        session: Session,
        attempts: Attempts,
        failed: FailedEvents,
        deaths: Deaths,
        in_flight: InFlight,
        signals: Signals,
    ) -> None:
        super().__init__(name, session, signals)
        self._attempts = attempts
        self._failed = failed
        self._deaths = deaths
        self._in_flight = in_flight
        self._queue: deque[Item] = deque()
        self._aside = Aside()
        self._filled = threading.Condition()

    def put(self, items: Sequence[Item]) -> None:
        """Queues records.

        Those of one fetch come at once, or the lane would start with only the first.
        """
        self._in_flight.add(items)
        with self._filled:
            self._queue.extend(items)
            self._filled.notify()

    def wake(self) -> None:
        """Wakes the thread, so that it sees the end."""
        with self._filled:
            self._filled.notify()

    def work(self) -> None:
        """Takes queued records for one transaction, settles them, and starts over."""
        while items := self._take():
            self._settle_or_drop(items)

    def _take(self) -> list[Item]:
        """The next records for one transaction; empty at the end. A replay comes on its own."""
        most = self._attempts.group.batch
        with self._filled:
            while not self._signals.ending.is_set():
                items = self._aside.take(most)
                while self._queue and len(items) < most:
                    if self._queue[0] in self._aside:
                        self._aside.add(self._queue.popleft())
                    elif joins(items, self._queue[0]):
                        items.append(self._queue.popleft())
                    else:
                        break
                if items:
                    return items
                self._filled.wait(self._aside.seconds())
        return []

    def _settle_or_drop(self, items: Sequence[Item]) -> None:
        running = [item for item in items if item.partition.start()]
        done: list[Verdict | None] = [None] * len(running)
        try:
            self._settle(running, done)
        except Stopped:
            log.debug("%s stopped with %d records unsettled", self.name, len(running))
        finally:
            for item, verdict in zip(running, done, strict=True):
                item.partition.stop(item.offset, finished=verdict in _SETTLED)
            aside = {
                verdict: [item for item, its in zip(running, done, strict=True) if its is verdict]
                for verdict in (Verdict.BUSY, Verdict.LATER)
            }
            self._aside.put(aside[Verdict.BUSY], BUSY_PAUSE_S)
            self._aside.put(aside[Verdict.LATER], 0)
            waiting = {id(item) for each in aside.values() for item in each}
            self._in_flight.remove([item for item in items if id(item) not in waiting])

    def _settle(self, items: Sequence[Item], done: list[Verdict | None]) -> None:
        """Settles records in order and sets what was done with each, see Attempts.live.

        Several are tried in one transaction. If that fails, each gets its own: which of them is to
        blame is not known for certain, so none has used an attempt. Only records of a revoked
        partition are dropped: the next record of the key would overtake another one. Raises Stopped
        at the end of the process.
        """
        slow: dict[int, Failure] = {}
        if len(items) > 1 and self._settle_together(items, done, slow):
            return
        busy: set[tuple[str, bytes]] = set()
        for index, item in enumerate(items):
            try:
                if item.key in busy:
                    done[index] = Verdict.BUSY
                elif item.replay:
                    done[index] = self._park_replay(item)
                elif item.partition.careful > 0:
                    done[index] = self._settle_carefully(item)
                else:
                    done[index] = self._settle_one(item, slow.get(index))
            except Stopped:
                if self._signals.ending.is_set():
                    raise
            if done[index] is Verdict.BUSY:
                busy.add(item.key)

    def _settle_together(
        self, items: Sequence[Item], done: list[Verdict | None], slow: dict[int, Failure]
    ) -> bool:
        """Whether all were settled in one transaction. Sets `slow` for one that took the time
        limit: no other can have taken that. Raises Stopped at the end of the process."""
        try:
            done[:] = self._attempt(items, 1)
            return True
        except AttemptFailed as failed:
            if failed.failure.slow and failed.index is not None:
                slow[failed.index] = failed.failure
                self._tell(items[failed.index], 1, failed.failure)
            log.debug("%s: %d events are handled one by one: %s", self.name, len(items), failed)
        except Disturbed as failed:
            log.debug("%s: %d events are handled one by one: %s", self.name, len(items), failed)
        except Stopped:
            if self._signals.ending.is_set():
                raise
        return False

    def _settle_carefully(self, item: Item) -> Verdict:
        """Settles a record that may be what killed the process that had its partition before."""
        group, record = self._attempts.group.name, item.record
        if self._session.run(lambda connection: inbox.is_settled(connection, group, record)):
            return self._settle_one(item, None)
        with self._deaths.noted(self._session, record) as deaths:
            if deaths >= self._deaths.most:
                return self._park_or_give_up(item, deaths, self._deaths.failure(deaths))
            verdict = self._settle_one(item, None)
            if verdict in (Verdict.RUN, Verdict.FREE):
                item.partition.handled_carefully()
            return verdict

    def _settle_one(self, item: Item, failure: Failure | None) -> Verdict:
        """failure: of the first attempt, where it has failed."""
        made = 0 if failure is None else 1
        while True:
            if failure is not None:
                if self._failed.retry.leaves_lane(failure, made):
                    return self._park_or_give_up(item, made, failure)
                if self._signals.ending.wait(self._failed.retry.lane_pause_s(made)):
                    raise Stopped
            if item.partition.revoked:
                raise Stopped
            try:
                attempt = partial(self._attempt, [item], made + 1)
                (verdict,) = undisturbed(attempt, self._signals.ending)
                return verdict
            except AttemptFailed as failed:
                failure = failed.failure
                made += 1
                self._tell(item, made, failure)

    def _tell(self, item: Item, made: int, failure: Failure) -> None:
        group, event_id = self._attempts.group.name, item.record.event_id
        self._signals.events.emit(
            HandlingFailed(group, event_id, made, failure.stage, failure.message)
        )

    def _attempt(self, items: Sequence[Item], number: int) -> list[Verdict]:
        records, began = [(item.record, number) for item in items], time.monotonic()
        verdicts = self._on_the_server_of(
            items,
            lambda connection, server: self._attempts.live(connection, records, server),
        )
        if settled := sum(verdict in _SETTLED for verdict in verdicts):
            self._signals.events.emit(
                EventsHandled(self._attempts.group.name, settled, time.monotonic() - began)
            )
        return verdicts

    def _park_or_give_up(self, item: Item, made: int, failure: Failure) -> Verdict:
        def run(operation: Callable[[psycopg.Connection[Any]], Result]) -> Result:
            return self._on_the_server_of([item], lambda connection, _: operation(connection))

        return self._failed.park(run, item.record, made, failure, item.partition.server)

    def _park_replay(self, item: Item) -> Verdict:
        """A replay is never run here: a parked runner does it, in the order of its key."""

        def settle(connection: psycopg.Connection[Any], server: str) -> Verdict:
            with connection.transaction():
                return parked_queues.park_replay(
                    connection, self._attempts.group.name, item.record, server
                )

        verdict = self._on_the_server_of([item], settle)
        self._signals.parked.set()
        return verdict

    def _on_the_server_of(
        self,
        items: Sequence[Item],
        operation: Callable[[psycopg.Connection[Any], str], Result],
    ) -> Result:
        """The result of `operation` on the server that the items' partitions were assigned with.

        What is settled on another server does not count: the source goes back to the positions that
        are known there, which drops these items. Raises Stopped then, and as Session.run.
        """
        servers = {item.partition.server for item in items}

        def wanted() -> bool:
            return not any(item.partition.revoked for item in items)

        while True:
            try:
                if len(servers) > 1:
                    raise ServerChanged
                return self._session.run(
                    lambda connection: operation(connection, *servers), wanted=wanted
                )
            except ServerChanged:
                self._session.close()
                self._signals.server_changed.set()
                if self._signals.ending.wait(SERVER_CHANGED_S) or not wanted():
                    raise Stopped from None


def _lane_of(record: Record, lanes: int) -> int:
    """The same lane for the same topic and key, so that a key's events stay in order."""
    return zlib.crc32(record.key, zlib.crc32(record.topic.encode())) % lanes
