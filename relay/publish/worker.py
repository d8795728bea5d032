"""A worker: one process that publishes the shards which the group gives it."""

from __future__ import annotations

import threading
import time

from relay.capture.feed import Feed
from relay.observe import Events, Subscriber
from relay.outages import Outages
from relay.process.event_log import log_event
from relay.process.logs import name_process
from relay.process.waiting import wait_for_servers
from relay.publish.deliveries import Deliveries
from relay.publish.months import Months
from relay.publish.owned import OwnedShards
from relay.publish.services import Services
from relay.publish.takeover.membership import InstanceId, Membership
from relay.settings import Settings
from relay.unavailable import unavailable_server

__all__ = ["Worker"]

_POLL_SECONDS = 0.1
_HAND_OVER_SECONDS = 15.0
_IDLE_ROUNDS = 3
_IDLE_CHECK_SECONDS = 0.5


class Worker:
    """Runs until it is stopped.

    Threads: the main one serves the group and starts and ends shards; one reads the outbox, one a
    shard publishes, one writes flags.
    """

    def __init__(
        self, settings: Settings, stop: threading.Event | None = None, *subscribers: Subscriber
    ) -> None:
        """stop: ends it when it is set, as `stop` does. subscribers: to its events, besides the
        log. Raises ConfigurationInvalid when it can't have a name of its own on this machine."""
        self._settings = settings
        self._events = Events(log_event, *subscribers)
        self._instance = InstanceId(settings.name)
        self._stop = stop or threading.Event()

    def stop(self) -> None:
        """Requests the end, from any thread or signal handler: open transactions are finished and
        the shards handed over."""
        self._stop.set()

    def run(self, until_idle: bool = False) -> None:
        """Works until stopped, or with `until_idle` until nothing is left to publish.

        Waits out outages, at the start as well. Raises RelayError for what needs an operator.
        """
        name_process(self._instance.name)
        outages = Outages(self._events)
        services = wait_for_servers(
            lambda: Services(self._settings, self._instance.name, self._events, outages),
            outages,
            self._stop,
        )
        if services is None:
            return
        feed = Feed(
            services.open_reader,
            self._settings.shards,
            self._settings.delivery_interval_ms / 1000,
            prompt=self._settings.delivery == "at-least-once",
            database=outages.database,
        )
        deliveries = Deliveries(
            services.open_store,
            outages.database,
            renew_seconds=self._settings.session_timeout_ms / 3000,
        )
        shards = OwnedShards(services, feed, deliveries)
        membership = Membership(
            self._settings, self._instance.name, shards.gained, shards.lost, outages.kafka,
            services.admin,
        )  # fmt: skip
        months = Months(services.keep_partitions)
        feed.start()
        deliveries.start(shards.held)
        next_check = time.monotonic() + _IDLE_CHECK_SECONDS
        try:
            while not self._stop.is_set():
                membership.poll(_POLL_SECONDS)
                if (failure := feed.failure or deliveries.failure) is not None:
                    raise failure
                shards.tend(membership)
                _note_ends(services)
                months.tend()
                if until_idle and time.monotonic() >= next_check:
                    if _is_idle(membership, shards, feed, services):
                        return
                    next_check = time.monotonic() + _IDLE_CHECK_SECONDS
        finally:
            membership.close()
            shards.end()
            feed.stop()
            deliveries.stop(_HAND_OVER_SECONDS)
            services.close()


def _note_ends(services: Services) -> None:
    try:
        services.ends_seen.refresh()
    except Exception as error:
        if unavailable_server(error) is None:
            raise
        # The reader waits for the database and reports it.


def _is_idle(membership: Membership, shards: OwnedShards, feed: Feed, services: Services) -> bool:
    try:
        return (
            bool(membership.shards)
            and not shards.retrying
            and feed.idle_rounds >= _IDLE_ROUNDS
            and not services.has_work()
        )
    except Exception as error:
        if unavailable_server(error) is None:
            raise
        return False  # The reader waits for the database and reports it.
