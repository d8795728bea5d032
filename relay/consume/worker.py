"""One process of a consumer group: its parts, and the loop that runs them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Final

from relay.consume import inbox
from relay.consume.attempt import Attempts
from relay.consume.dead_letters.producer import DeadLetterProducer
from relay.consume.deaths import Deaths
from relay.consume.decode import Decoder, Schemas
from relay.consume.failed import FailedEvents
from relay.consume.group import Group
from relay.consume.lane import Lanes
from relay.consume.majors import Majors
from relay.consume.parked import parked_runners
from relay.consume.reads import Reads, ReadsWriter
from relay.consume.retry import RetryPolicy
from relay.consume.session import Sessions, check_tables
from relay.consume.signals import Signals
from relay.consume.source import Source
from relay.consume.time_limit import Handlings
from relay.consume.watchdog import Watchdog
from relay.errors import ConfigurationInvalid
from relay.kafka.clients import refuse_bad_options
from relay.observe import Events, Subscriber
from relay.outages import Outages
from relay.process.event_log import log_event
from relay.process.logs import name_process
from relay.process.waiting import wait_for_servers
from relay.schema.catalog import Catalog
from relay.settings import Settings

__all__ = ["consume"]

log = logging.getLogger(__name__)

# The process does not wait longer for a handler; its transaction rolls back.
STOP_PATIENCE_S: Final = 10.0


def consume(
    settings: Settings,
    group: Group,
    schemas: Schemas,
    *,
    until_idle: bool = False,
    stop: threading.Event | None = None,
    subscribers: Sequence[Subscriber] = (),
) -> None:
    """Runs `group` in this process until `stop` is set.

    subscribers: to the events of this process, besides the log.
    until_idle: ends when every assigned partition is read to its end, nothing is parked (parked
    events are retried, so this waits for the last attempt), and every dead letter is in its topic.
    Waits out outages, at the start as well. Raises CatalogInvalid, ConfigurationInvalid,
    DatabaseRefused, BrokerRefused.
    """
    catalog = Catalog.load(settings.schemas_dir)
    if not group.subscriptions:
        raise ConfigurationInvalid(f"consumer group {group.name} has no handler. Register one")
    name_process(f"group {group.name}")
    stop = stop or threading.Event()
    events = Events(log_event, *subscribers)
    outages = Outages(events)
    refuse_bad_options(settings)
    if wait_for_servers(lambda: check_tables(settings.database_url), outages, stop):
        _GroupProcess(settings, group, catalog, schemas, stop, events, outages).run(until_idle)


class _GroupProcess:
    """The parts of one process; each but the source runs in threads of its own."""

    def __init__(
        self,
        settings: Settings,
        group: Group,
        catalog: Catalog,
        schemas: Schemas,
        stop: threading.Event,
        events: Events,
        outages: Outages,
    ) -> None:
        signals = Signals(group.name, stop, events)
        sessions = Sessions(settings, group.name, signals.ending, outages)
        majors = Majors.of(catalog, set(group.subscriptions))
        reads = Reads()
        handlings = Handlings(group.time_limit_s)
        attempts = Attempts(
            group, Decoder(schemas, majors, reads), settings.session_timeout_ms, handlings
        )
        failed = FailedEvents(group.name, RetryPolicy.of(settings), signals)
        deaths = Deaths.of(group.name, settings.max_attempts)

        self.group = group
        self.outages = outages
        self.signals = signals
        self.session = sessions.new("reader")
        self.deaths = deaths
        self.lanes = Lanes(sessions, attempts, failed, deaths, signals)
        self.parked = parked_runners(sessions, attempts, failed, deaths, signals)
        self.dead_letters = DeadLetterProducer(settings, group.name, sessions, signals, outages)
        self.watchdog = Watchdog(sessions.new("watchdog"), handlings, failed, signals)
        self.reads = ReadsWriter(group.name, reads, sessions)
        self.source = Source(
            settings, group, catalog, majors, self.lanes, self.session, signals, outages
        )

    def run(self, until_idle: bool) -> None:
        """The loop of the main thread; raises the error that ended a thread."""
        try:
            if not wait_for_servers(self._subscribe, self.outages, self.signals.stop):
                return
            self.deaths.forget_settled(self.session)
            for thread in (*self._threads, self.reads):
                thread.start()
            log.info("group %s runs with %d lanes", self.group.name, len(self.lanes.threads))
            while not self.signals.stopping:
                self.source.step()
                if until_idle and self.source.at_end() and self._nothing_waits():
                    break
        finally:
            self._end()
        if self.signals.crash is not None:
            raise self.signals.crash

    def _subscribe(self) -> bool:
        self.source.subscribe()
        return True

    def _end(self) -> None:
        """Ends the threads, then leaves the group."""
        self.signals.end()
        self.lanes.wake()
        deadline = time.monotonic() + STOP_PATIENCE_S
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))
        # After the lanes, so that all they decoded is written.
        self.reads.end(max(1.0, deadline - time.monotonic()))
        self.source.close(orderly=self.signals.crash is None)
        self.session.close()

    @property
    def _threads(self) -> list[threading.Thread]:
        return [*self.lanes.threads, *self.parked, self.dead_letters, self.watchdog]

    def _nothing_waits(self) -> bool:
        parked, unsent = self.session.run(
            lambda connection: inbox.count_waiting(connection, self.group.name)
        )
        return parked == 0 and unsent == 0
