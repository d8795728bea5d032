"""The shards that the group has given this worker: each runs, or is retaken once it is in doubt."""

from __future__ import annotations

import time

from relay.capture.feed import Feed
from relay.observe import ShardInDoubt, ShardsGained, ShardsLost
from relay.publish.deliveries import Deliveries
from relay.publish.errors import CommitResent, Fenced, OutcomeUnknown
from relay.publish.services import Services
from relay.publish.shard import Shard
from relay.publish.takeover.membership import Membership
from relay.publish.transaction import BatchLimit

__all__ = ["OwnedShards"]

_RETRY_SECONDS = 0.5
# A shard whose take-over fails again and again is tried ever more slowly.
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_SOUND_SECONDS = 10.0
_HAND_OVER_SECONDS = 15.0


class OwnedShards:
    """Owned by the worker's main thread; no other thread starts or ends shards."""

    def __init__(self, services: Services, feed: Feed, deliveries: Deliveries) -> None:
        self._services = services
        self._feed = feed
        self._deliveries = deliveries
        self._running: dict[int, Shard] = {}
        self._limits: dict[int, BatchLimit] = {}
        self._retry_at: dict[int, float] = {}
        self._pauses: dict[int, float] = {}
        self._started_at: dict[int, float] = {}

    @property
    def retrying(self) -> bool:
        """Whether a shard is in doubt and not retaken yet."""
        return bool(self._retry_at)

    def held(self) -> list[tuple[int, int]]:
        """Shards that are taken over and worked on, with their epochs. Any thread may call it."""
        return [
            (number, epoch)
            for number, shard in list(self._running.items())
            if (epoch := shard.epoch) is not None and not shard.ended
        ]

    def gained(self, shards: list[int]) -> None:
        """The group has given this worker more shards."""
        self._services.events.emit(ShardsGained(shards))
        for number in shards:
            self._start(number)

    def lost(self, shards: list[int]) -> None:
        """Ends shards that are handed over: each finishes its transaction. One that takes too long
        is fenced by the next owner."""
        self._services.events.emit(ShardsLost(shards))
        for number in shards:
            if number in self._running:
                self._running[number].stop()
        deadline = time.monotonic() + _HAND_OVER_SECONDS
        for number in shards:
            self._retry_at.pop(number, None)
            if (running := self._running.pop(number, None)) is not None:
                running.join(max(0.0, deadline - time.monotonic()))
            self._services.outages.recovered(f"shard {number}")

    def end(self) -> None:
        """Hands over all that still run."""
        self.lost(list(self._running))

    def tend(self, membership: Membership) -> None:
        """Retakes shards that ended by themselves, once the group confirms that they are still this
        worker's, so that two owners never fence each other forever (H17).

        A shard that the group does not confirm is checked again: during a rebalance the group
        refuses the former generation even for shards that stay here (H53). Only `lost` ends that.
        Raises an error that needs an operator.
        """
        for number, shard in list(self._running.items()):
            if shard.ended:
                self._ended(number, shard)
        now = time.monotonic()
        for number in membership.shards - self._running.keys():
            if now < self._retry_at.setdefault(number, now):
                continue
            if membership.confirm(number):
                del self._retry_at[number]
                self._start(number)
            else:
                self._retry_at[number] = time.monotonic() + _RETRY_SECONDS

    def _start(self, number: int) -> None:
        shard = Shard(
            number,
            self._services,
            self._feed,
            self._deliveries,
            self._limits.setdefault(number, BatchLimit()),
        )
        self._running[number] = shard
        self._started_at[number] = time.monotonic()
        shard.start()

    def _ended(self, number: int, shard: Shard) -> None:
        failure = shard.failure
        if failure is None:
            raise RuntimeError(f"shard {number} ended without a reason")
        if not isinstance(failure, OutcomeUnknown | Fenced):
            raise failure
        server = failure.server if isinstance(failure, OutcomeUnknown) else None
        self._services.events.emit(ShardInDoubt(number, str(failure), server))
        if server is not None:
            self._services.outages.of(server).unavailable(f"shard {number}", str(failure))
        del self._running[number]
        # After a commit that was sent again the shard only needs a new epoch.
        resent = isinstance(failure, CommitResent)
        pause = _FIRST_PAUSE if resent else self._pause(number)
        self._retry_at[number] = time.monotonic() + pause

    def _pause(self, number: int) -> float:
        """Seconds to wait before the shard is retaken; 0 the first time."""
        if time.monotonic() - self._started_at[number] > _SOUND_SECONDS:
            self._pauses[number] = 0.0
        pause = self._pauses.get(number, 0.0)
        self._pauses[number] = min(max(pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
        return pause
