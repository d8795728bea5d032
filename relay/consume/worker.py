"""One process of a consumer group: reader, lanes, parked runner and sender put together."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Final

from relay.consume import inbox
from relay.consume.attempt import Attempts, idle_timeout_ms
from relay.consume.backoff import Backoff
from relay.consume.dead_letters.producer import Sender
from relay.consume.decode import Decoder, Schemas
from relay.consume.group import Group
from relay.consume.lane import Lane, Policy
from relay.consume.majors import Majors
from relay.consume.parked import ParkedRunner
from relay.consume.reader import InFlight, Reader
from relay.consume.reads import Reads, ReadsWriter
from relay.consume.session import Session
from relay.errors import ConfigurationInvalid
from relay.kafka.client_log import BrokerWatch
from relay.kafka.clients import Ends, consumer
from relay.observe import Events
from relay.outages import Outages
from relay.postgres.connect import connect
from relay.process.event_log import log_event
from relay.process.logs import name_process
from relay.process.waiting import wait_for_servers
from relay.schema.catalog import Catalog
from relay.settings import Settings

__all__ = ["consume"]

log = logging.getLogger(__name__)

# A lane that is still in a handler after this long is left behind; its transaction rolls back.
STOP_PATIENCE_S: Final = 10.0


def consume(
    settings: Settings,
    group: Group,
    schemas: Schemas,
    *,
    until_idle: bool = False,
    stop: threading.Event | None = None,
) -> None:
    """Runs `group` in this process until `stop` is set.

    until_idle: ends when every assigned partition is read to its end, nothing is parked (all
    that is parked is tried again by itself, so this waits for the last attempt), and every dead
    letter is in its topic.
    Outages are waited out, at the start as well. Raises CatalogInvalid, ConfigurationInvalid,
    DatabaseRefused.
    """
    catalog = Catalog.load(settings.schemas_dir)
    if not group.subscriptions:
        raise ConfigurationInvalid(f"consumer group {group.name} has no handler. Register one")
    name_process(f"group {group.name}")
    stop = stop or threading.Event()
    outages = Outages(Events(log_event))
    if wait_for_servers(lambda: _check_tables(settings), outages, stop):
        _GroupProcess(settings, group, catalog, schemas, stop, outages).run(until_idle)


class _GroupProcess:
    """The threads of one process and what they tell each other."""

    def __init__(
        self,
        settings: Settings,
        group: Group,
        catalog: Catalog,
        schemas: Schemas,
        stop: threading.Event,
        outages: Outages,
    ) -> None:
        self._settings = settings
        self._outages = outages
        self._watch = BrokerWatch(outages.kafka, "consumer")
        self._group = group
        self._stop = stop
        self._ending = threading.Event()
        self._crash: BaseException | None = None
        self._in_flight = InFlight()
        self._session = self._new_session(settings, "reader")
        reads = Reads()
        self._reads_writer = ReadsWriter(
            group.name, reads, self._new_session(settings, "reads"), threading.Event()
        )
        majors = Majors.of(catalog, set(group.subscriptions))
        attempts = Attempts(
            group, Decoder(schemas, majors, reads.note), settings.session_timeout_ms
        )
        policy = Policy(
            settings.max_attempts,
            Backoff(
                settings.backoff_initial_ms, settings.backoff_max_ms, settings.backoff_multiplier
            ),
        )
        self._sender = Sender(
            settings,
            group.name,
            self._new_session(settings, "sender"),
            self._ending,
            outages.kafka,
            crashed=self._crashed,
        )
        self._runner = ParkedRunner(
            self._new_session(settings, "parked"),
            attempts,
            policy,
            self._ending,
            buried=self._sender.wake,
            crashed=self._crashed,
        )
        self._lanes = [
            Lane(
                f"{group.name} lane {number}",
                self._new_session(settings, f"lane {number}"),
                attempts,
                policy,
                self._ending,
                released=self._in_flight.remove,
                parked=self._runner.wake,
                buried=self._sender.wake,
                crashed=self._crashed,
            )
            for number in range(group.lanes)
        ]
        topics = group.topics(catalog)
        own = {catalog.retry_topic(topic, group.name): topic for topic in topics}
        self._dlq_topics = [catalog.dlq_topic(topic, group.name) for topic in topics]
        self._consumer = consumer(settings, group.name, self._watch)
        self._reader = Reader(
            self._consumer,
            {topic: topic for topic in topics} | own,
            majors,
            self._lanes,
            self._in_flight,
            stopping=self._stopping,
            revoke_patience_s=settings.session_timeout_ms / 2000,
        )

    def run(self, until_idle: bool) -> None:
        """The loop of the main thread; raises what a thread could not go on after."""
        threads = [*self._lanes, self._runner, self._sender]
        ends = Ends(self._settings)
        try:
            if not wait_for_servers(self._subscribe, self._outages, self._stop):
                return
            for thread in threads:
                thread.start()
            self._reads_writer.start()
            log.info("group %s runs with %d lanes", self._group.name, len(self._lanes))
            while not self._stopping():
                self._reader.step()
                if until_idle and self._reader.at_end(ends) and self._nothing_waits():
                    break
        finally:
            self._end(threads)
        if self._crash is not None:
            raise self._crash

    def _subscribe(self) -> bool:
        self._reader.subscribe(self._dlq_topics)
        return True

    def _stopping(self) -> bool:
        return self._stop.is_set() or self._ending.is_set()

    def _nothing_waits(self) -> bool:
        parked, unsent = self._session.run(
            lambda connection: inbox.waiting(connection, self._group.name)
        )
        return parked == 0 and unsent == 0

    def _end(self, threads: list[Any]) -> None:
        self._ending.set()
        deadline = time.monotonic() + STOP_PATIENCE_S
        for thread in threads:
            thread.wake()
        for thread in threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))
        # After the lanes, so that it has all that they have decoded.
        self._reads_writer.end(max(1.0, deadline - time.monotonic()))
        self._session.close()
        self._reader.close()
        self._watch.forget()

    def _crashed(self, error: BaseException) -> None:
        log.critical("group %s ends: %r", self._group.name, error, exc_info=error)
        self._crash = self._crash or error
        self._ending.set()

    def _new_session(self, settings: Settings, role: str) -> Session:
        return Session(
            settings.database_url,
            f"{self._group.name} {role}",
            self._ending,
            self._outages,
            idle_timeout_ms=idle_timeout_ms(settings.session_timeout_ms),
        )


def _check_tables(settings: Settings) -> bool:
    """True; raises ConfigurationInvalid when there are none."""
    with connect(settings.database_url) as connection:
        row = connection.execute("select to_regclass('inbox.parked') is not null").fetchone()
    if row is None or not row[0]:
        raise ConfigurationInvalid("the database has no inbox tables yet. Run relay migrate")
    return True
