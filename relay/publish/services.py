"""What the shards of a worker share: clients, routes, and one connection for rare queries."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import psycopg
from confluent_kafka import Consumer

from relay.capture.reader import SESSION, OutboxReader
from relay.capture.row import Row
from relay.errors import DatabaseUnavailable, PositionRefused
from relay.kafka import topics
from relay.kafka.clients import reader
from relay.kafka.offsets import read_ends
from relay.observe import Events
from relay.outages import Outages
from relay.postgres.connect import connect
from relay.postgres.identity import Identity, read_identity
from relay.postgres.partitions import Month, are_partitioned, keep
from relay.process.backoff import Backoff
from relay.publish import pinned
from relay.publish.ends import TopicEnds
from relay.publish.holds import Hold, Holds
from relay.publish.message import Messages
from relay.publish.producer import open_producer
from relay.publish.record import PositionRecord
from relay.publish.routes import Routes
from relay.publish.store import ShardStore
from relay.publish.takeover.positions import last_record
from relay.publish.takeover.read_from import EndsSeen, Noted, TopicEnd, observe
from relay.publish.takeover.repair import TakenOver, take_over
from relay.publish.takeover.undecided import await_decided
from relay.publish.takeover.undone import publish_again
from relay.schema.approvals.versions_in_force import names_in_use, versions_in_force
from relay.schema.catalog import Catalog
from relay.schema.client.client import RegistryClient
from relay.settings import Settings
from relay.unavailable import unavailable_server

__all__ = ["Services"]

Result = TypeVar("Result")
log = logging.getLogger(__name__)

_LOOK_AT_POSITIONS_SECONDS = 60.0


class Services:
    """One per worker. Locks serialize the use of the shared connection and consumer."""

    def __init__(self, settings: Settings, worker: str, events: Events, outages: Outages) -> None:
        """worker: the name under which it holds shards. events, outages: of this process.

        Raises ConfigurationInvalid, CatalogInvalid, PositionRefused, DatabaseUnavailable,
        BrokerUnavailable.
        """
        self.settings = settings
        self.events = events
        self.outages = outages
        self.backoff = Backoff(
            timedelta(milliseconds=settings.backoff_initial_ms),
            timedelta(milliseconds=settings.backoff_max_ms),
            settings.backoff_multiplier,
        )
        self._worker = worker
        self.admin = topics.open_admin(settings)
        self._lock = threading.RLock()
        self._consumer_lock = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None
        self._consumers: tuple[Consumer, Consumer] | None = None
        # What is wrong at the start was logged or refused then.
        self._look_at_positions_at = time.monotonic() + _LOOK_AT_POSITIONS_SECONDS
        try:
            found = pinned.check(self._connected(), self.admin, settings)
            # A worker that can't create its producers says so before it is given shards.
            open_producer(settings, 0, 1_000_000).drop()
            self.routes = Routes(
                lambda: Catalog.load(settings.schemas_dir),
                RegistryClient(settings.schema_registry_url),
                self._topic_states,
                lambda listed: self._use(lambda connection: versions_in_force(connection, listed)),
                lambda: self._use(names_in_use),
            )
        except BaseException:
            # The caller tries again after an outage and must not leak a connection each time.
            self._forget_connection()
            raise
        for warning in found.warnings:
            log.warning("%s", warning)
        self.ends = TopicEnds(self.admin, self._topic_states)
        self.ends_seen = EndsSeen(self.admin, self._pinned_topics)

    def messages(self) -> Messages:
        """A builder of messages for one shard."""
        return Messages(self.routes, self.routes.limit_now)

    def open_reader(self) -> tuple[OutboxReader, Identity]:
        """A reader on a new connection, and the identity of its database.

        Raises DatabaseUnavailable, also for another database or timeline than the shards were taken
        over on: they have to be taken over again first.
        """
        connection = self._open("capture", **SESSION)
        identity = read_identity(connection)
        if identity != self._identity:
            connection.close()
            with self._lock:
                self._forget_connection()
            raise DatabaseUnavailable(
                f"the database has changed from {self._identity} to {identity}: the shards are "
                "taken over again"
            )
        return OutboxReader(connection, self.settings.shards, self.settings.page_rows), identity

    def open_store(self) -> ShardStore:
        """A store on a new connection; raises DatabaseUnavailable."""
        return ShardStore(self._open("deliveries"), self.settings.shards)

    def take_over(self, shard: int) -> tuple[TakenOver, Holds]:
        """See relay.publish.takeover.repair.take_over; and the shard's holds, from the same server.

        Raises what that raises, and DatabaseUnavailable.
        """
        exactly_once = self.settings.delivery == "exactly-once"
        if exactly_once:
            self._look_at_positions_topic()
        patience_ms = self.settings.session_timeout_ms // 2
        with self._open("takeover", lock_timeout=patience_ms, **SESSION) as connection:
            store = ShardStore(connection, self.settings.shards)
            try:
                epoch, mirror = store.take(shard, self._worker)
            except psycopg.errors.LockNotAvailable:
                store.end_stuck_writers(patience_ms / 1000)
                epoch, mirror = store.take(shard, self._worker)
            record, aborted = self._last_records(shard) if exactly_once else (None, None)
            with self._consumer_lock:
                both = self._opened_consumers()
                taken = take_over(
                    shard,
                    self.settings.shards,
                    store,
                    epoch,
                    mirror,
                    record,
                    aborted,
                    both[0],
                    self.ends.now,
                    self._topic_ends,
                    partial(
                        publish_again, shard, epoch, store, self.admin, self._topic_ends, *both
                    ),
                    exactly_once,
                    self.events,
                )
            holds = Holds(self.settings.on_dead)
            found = store.holds(
                shard, self.settings.backoff_max_ms / 1000, with_dead=holds.dead_blocks
            )
            holds.apply(found, time.monotonic())
            return taken, holds

    def _last_records(self, shard: int) -> tuple[PositionRecord | None, PositionRecord | None]:
        """The shard's last position record, once no transaction of a former owner is open, and one
        after it that was aborted, if there is one."""
        # Only this shard's transactions write to its partition of the positions topic.
        place = (self.settings.positions_topic, shard)
        await_decided(self.admin, read_ends(self.admin, [place], undecided=True))
        with self._consumer_lock:
            committed, everything = self._opened_consumers()
            record = last_record(committed, *place)
            try:
                last = last_record(everything, *place)
            except PositionRefused as error:
                log.info("the last record of shard %d is aborted and not read: %s", shard, error)
                last = None
        if record is not None:
            ends = self.ends.now(record.ends)
            await_decided(
                self.admin,
                {(topic, number): end for topic in ends for number, end in ends[topic].items()},
            )
        is_later = last is not None and last.number > (record.number if record else 0)
        return record, last if is_later else None

    def _topic_ends(self) -> Mapping[str, TopicEnd]:
        return observe(self.admin, self._pinned_topics())

    def _opened_consumers(self) -> tuple[Consumer, Consumer]:
        """Of committed records, and of all."""
        self._consumers = self._consumers or (
            reader(self.settings),
            reader(self.settings, undecided=True),
        )
        return self._consumers

    def _look_at_positions_topic(self) -> None:
        """Logs what could lose the positions since somebody has changed their topic (H12)."""
        now = time.monotonic()
        if now < self._look_at_positions_at:
            return
        self._look_at_positions_at = now + _LOOK_AT_POSITIONS_SECONDS
        cluster = topics.describe(self.admin)
        for problem in filter(None, pinned.positions_problems(self.admin, self.settings, cluster)):
            log.error("%s", problem)

    def heads(self, shard: int) -> list[Hold]:
        """See ShardStore.heads; raises psycopg.Error, DatabaseUnavailable."""
        return self._use(
            lambda connection: ShardStore(connection, self.settings.shards).heads(shard)
        )

    def note(self, shard: int, epoch: int, read_from: Noted) -> None:
        """See ShardStore.note; raises Fenced, psycopg.Error, DatabaseUnavailable."""
        self._use(
            lambda connection: ShardStore(connection, self.settings.shards).note(
                shard, epoch, read_from
            )
        )

    def rows(self, seqs: Sequence[int]) -> tuple[list[Row], bool]:
        """See OutboxReader.rows; raises psycopg.Error, DatabaseUnavailable."""
        return self._use(
            lambda connection: OutboxReader(
                connection, self.settings.shards, self.settings.page_rows
            ).rows(seqs)
        )

    def keep_partitions(self) -> list[Month]:
        """See relay.postgres.partitions.keep; raises psycopg.Error, DatabaseUnavailable."""
        if not self._use(are_partitioned):
            return []
        with self._open("partitions") as connection:
            return keep(connection)

    def has_work(self) -> bool:
        """Whether something is still to be published now or is retried later."""
        return self._use(lambda connection: ShardStore(connection, self.settings.shards).has_work())

    def close(self) -> None:
        """Closes what is shared."""
        with self._lock:
            self._forget_connection()
        with self._consumer_lock:
            for consumer in self._consumers or ():
                consumer.close()
            self._consumers = None

    def _use(self, work: Callable[[psycopg.Connection[Any]], Result]) -> Result:
        with self._lock:
            try:
                return work(self._connected())
            except Exception as error:
                if unavailable_server(error) == "database":
                    self._forget_connection()
                raise

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = self._open("shards", **SESSION)
            self._identity = read_identity(self._connection)
        return self._connection

    def _open(self, role: str, **session: int | str) -> psycopg.Connection[Any]:
        """A connection whose locks the server releases soon after its worker is lost or frozen.

        session: see relay.postgres.connect.connect, which raises DatabaseUnavailable.
        """
        return connect(
            self.settings.database_url,
            application_name=f"relay {role}",
            silence_s=self.settings.session_timeout_ms / 1000,
            session={
                "idle_in_transaction_session_timeout": self.settings.session_timeout_ms,
                # An epoch that a crash undoes would be given out twice, and only the last
                # transaction's flags are written again.
                "synchronous_commit": "on",
                **session,
            },
        )

    def _forget_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _pinned_topics(self) -> dict[str, int]:
        """Pinned topics and their numbers of partitions."""
        return dict(
            self._use(
                lambda connection: connection.execute(
                    "select topic, partitions from outbox.topics"
                ).fetchall()
            )
        )

    def _topic_states(self) -> Mapping[str, topics.TopicState]:
        """State of each pinned topic that exists, with its pinned number of partitions: one that
        somebody has grown keeps its keys where they are."""
        pins = self._pinned_topics()
        cluster = topics.describe(self.admin)
        found = topics.states(self.admin, pins, cluster)
        writable = topics.writable(self.admin, found)
        return {
            name: replace(state, partitions=pins[name], may_write=name in writable)
            for name, state in found.items()
            if state.partitions >= pins[name]
        }
