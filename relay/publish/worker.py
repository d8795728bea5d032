"""A worker: one process that publishes the shards which the group gives it."""

from __future__ import annotations

import logging
import threading
import time

from relay.capture.feed import Feed
from relay.publish.deliveries import Deliveries
from relay.publish.membership import Membership, Seat
from relay.publish.producer import Doubt
from relay.publish.services import Services
from relay.publish.shard import Shard
from relay.publish.store import Stale
from relay.publish.transact import Caution
from relay.settings import Settings

__all__ = ["Worker"]

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.1
_RETRY_SECONDS = 0.5
# A shard whose take-over fails again and again is tried ever more slowly.
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_SOUND_SECONDS = 10.0
_HAND_OVER_SECONDS = 15.0
_IDLE_ROUNDS = 3
_IDLE_CHECK_SECONDS = 0.5


class Worker:
    """Runs until it is stopped.

    The main thread serves the group; it alone starts and ends shards. Threads: one that reads the
    outbox, one a shard, one that writes flags.
    """

    def __init__(self, settings: Settings) -> None:
        """Raises RelayError when something is wrong from the start."""
        self._settings = settings
        self._seat = Seat(settings.name)
        self._services = Services(settings, self._seat.name)
        self._feed = Feed(
            self._services.open_reader,
            settings.shards,
            settings.delivery_interval_ms / 1000,
            prompt=settings.delivery == "at-least-once",
        )
        self._deliveries = Deliveries(self._services.open_store)
        self._running: dict[int, Shard] = {}
        self._cautions: dict[int, Caution] = {}
        self._retry_at: dict[int, float] = {}
        self._pauses: dict[int, float] = {}
        self._started_at: dict[int, float] = {}
        self._stop = threading.Event()

    def stop(self) -> None:
        """Asks for the end, from any thread or signal handler: open transactions are finished and
        the shards handed over."""
        self._stop.set()

    def run(self, until_idle: bool = False) -> None:
        """Works until stopped, or `until_idle` until nothing is left to publish.

        Raises RelayError when a shard can't be worked on before a person has looked.
        """
        membership = Membership(self._settings, self._seat.name, self._gained, self._lost)
        self._feed.start()
        self._deliveries.start()
        next_check = time.monotonic() + _IDLE_CHECK_SECONDS
        try:
            while not self._stop.is_set():
                membership.poll(_POLL_SECONDS)
                self._tend(membership)
                if until_idle and time.monotonic() >= next_check:
                    if self._is_idle(membership):
                        return
                    next_check = time.monotonic() + _IDLE_CHECK_SECONDS
        finally:
            membership.close()
            self._lost(list(self._running))
            self._feed.stop()
            self._deliveries.stop(_HAND_OVER_SECONDS)
            self._services.close()

    def _gained(self, shards: list[int]) -> None:
        log.info("gained shards %s", shards)
        for shard in shards:
            self._start(shard)

    def _lost(self, shards: list[int]) -> None:
        """Ends shards: each finishes its transaction. One that takes too long is fenced by the
        next owner."""
        if shards:
            log.info("handing over shards %s", shards)
        for shard in shards:
            if shard in self._running:
                self._running[shard].stop()
        deadline = time.monotonic() + _HAND_OVER_SECONDS
        for shard in shards:
            self._retry_at.pop(shard, None)
            if (running := self._running.pop(shard, None)) is not None:
                running.join(max(0.0, deadline - time.monotonic()))

    def _start(self, number: int) -> None:
        shard = Shard(
            number,
            self._services,
            self._feed,
            self._deliveries,
            self._cautions.setdefault(number, Caution()),
        )
        self._running[number] = shard
        self._started_at[number] = time.monotonic()
        shard.start()

    def _tend(self, membership: Membership) -> None:
        """Looks after shards that ended by themselves: they start again only once the group says
        that they are still this worker's, so that two owners never fence each other for ever."""
        if (failure := self._feed.failure or self._deliveries.failure) is not None:
            raise failure
        for number, shard in list(self._running.items()):
            if not shard.ended:
                continue
            match shard.failure:
                case Doubt() | Stale() as failure:
                    log.warning("shard %d is in doubt and taken over anew: %s", number, failure)
                case Exception() as failure:
                    raise failure
                case None:
                    raise RuntimeError(f"shard {number} ended without a reason")
            del self._running[number]
            self._retry_at[number] = time.monotonic() + self._pause(number)
        for number, at in list(self._retry_at.items()):
            if time.monotonic() < at:
                continue
            match membership.confirm(number):
                case True:
                    del self._retry_at[number]
                    self._start(number)
                case False:
                    log.warning("shard %d is no longer this worker's", number)
                    del self._retry_at[number]
                case None:
                    self._retry_at[number] = time.monotonic() + _RETRY_SECONDS

    def _pause(self, number: int) -> float:
        """How long to wait before the shard is taken over anew: not at all the first time."""
        if time.monotonic() - self._started_at[number] > _SOUND_SECONDS:
            self._pauses[number] = 0.0
        pause = self._pauses.get(number, 0.0)
        self._pauses[number] = min(max(pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
        return pause

    def _is_idle(self, membership: Membership) -> bool:
        return (
            bool(membership.shards)
            and not self._retry_at
            and self._feed.idle_rounds >= _IDLE_ROUNDS
            and not self._services.has_work()
        )
