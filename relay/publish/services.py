"""What the shards of a worker share: clients, routes, and one connection for what is rare."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import psycopg
from confluent_kafka import Consumer

from relay.capture.reader import Reader
from relay.capture.row import Row
from relay.errors import DatabaseUnavailable
from relay.kafka import topics
from relay.kafka.clients import reader
from relay.observe import Events
from relay.outages import Outage, Outages
from relay.postgres.connect import OUTAGES, connect
from relay.postgres.identity import Identity, read_identity
from relay.postgres.sqlfile import load
from relay.process.backoff import Backoff
from relay.publish import pinned
from relay.publish.ends import TopicEnds
from relay.publish.errors import Server
from relay.publish.holds import Hold
from relay.publish.message import Messages
from relay.publish.routes import Routes
from relay.publish.store import Store
from relay.publish.takeover.positions import last_record
from relay.publish.takeover.repair import TakenOver, take_over
from relay.schema.approvals.standing import binding_decisions, names_in_use
from relay.schema.catalog import Catalog
from relay.schema.client.client import RegistryClient
from relay.settings import Settings

__all__ = ["Services"]

Result = TypeVar("Result")


class Services:
    """One a worker. What uses the shared connection and consumer waits for its turn."""

    def __init__(self, settings: Settings, worker: str, events: Events, outages: Outages) -> None:
        """worker: the name under which it holds shards. events, outages: of this process.

        Raises ConfigurationInvalid, CatalogInvalid, PositionRefused, DatabaseUnavailable,
        BrokerUnavailable when something is wrong from the start.
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
        self._admin = topics.open_admin(settings)
        self._lock = threading.RLock()
        self._connection: psycopg.Connection[Any] | None = None
        self._consumer: Consumer | None = None
        try:
            self.pinned = pinned.check(self._connected(), self._admin, settings)
            self.routes = Routes(
                lambda: Catalog.load(settings.schemas_dir),
                RegistryClient(settings.schema_registry_url),
                self._topic_states,
                lambda name: self._use(lambda connection: binding_decisions(connection, name)),
                lambda: self._use(names_in_use),
            )
        except BaseException:
            # Made again after an outage: each time would leave a connection behind.
            self._forget_connection()
            raise
        self.ends = TopicEnds(self._admin, self._topic_states)

    def outage_of(self, server: Server) -> Outage:
        """What is known about a server."""
        return self.outages.kafka if server == "kafka" else self.outages.database

    def messages(self) -> Messages:
        """A builder of messages for one shard."""
        return Messages(self.routes, self.routes.limit_now)

    def open_reader(self) -> tuple[Reader, Identity]:
        """A reader on a new connection, and which database that leads to.

        Raises DatabaseUnavailable, also when the connection leads to another database or timeline
        than the shards were taken over on: they have to be taken over again first.
        """
        connection = connect(self.settings.database_url, application_name="relay capture")
        identity = read_identity(connection)
        if identity != self._identity:
            connection.close()
            with self._lock:
                self._forget_connection()
            raise DatabaseUnavailable(
                f"the database has changed from {self._identity} to {identity}: the shards are "
                "taken over again"
            )
        return Reader(connection, self.settings.shards, self.settings.page_rows), identity

    def open_store(self) -> Store:
        """A store on a new connection; raises DatabaseUnavailable."""
        connection = connect(self.settings.database_url, application_name="relay deliveries")
        # A flag that a crash takes back would be redone as if it were the last one.
        connection.execute("set synchronous_commit to on")
        return Store(connection, self.settings.shards)

    def take_over(self, shard: int) -> TakenOver:
        """See relay.publish.takeover.repair.take_over."""
        exactly_once = self.settings.delivery == "exactly-once"

        def run(connection: psycopg.Connection[Any]) -> TakenOver:
            consumer = self._consumer = self._consumer or reader(self.settings)
            record = (
                last_record(consumer, self.settings.positions_topic, shard)
                if exactly_once
                else None
            )
            return take_over(
                shard,
                self.settings.shards,
                self._worker,
                Store(connection, self.settings.shards),
                self._identity,
                record,
                consumer,
                self.ends.now,
                exactly_once,
                self.events,
            )

        return self._use(run)

    def heads(self, shard: int) -> list[Hold]:
        """See Store.heads; raises psycopg.Error, DatabaseUnavailable."""
        return self._use(lambda connection: Store(connection, self.settings.shards).heads(shard))

    def rows(self, seqs: Sequence[int]) -> list[Row]:
        """See Reader.rows; raises psycopg.Error, DatabaseUnavailable."""
        return self._use(
            lambda connection: Reader(
                connection, self.settings.shards, self.settings.page_rows
            ).rows(seqs)
        )

    def has_work(self) -> bool:
        """Whether something is still to be published now or will be tried again by itself."""
        query = load(__package__, "has_work.sql")
        # The same clock as that of the holds' times, which need not be the database's.
        parameters = {"now": datetime.now(UTC)}
        found = self._use(lambda connection: connection.execute(query, parameters).fetchone())
        return found is not None

    def close(self) -> None:
        """Closes what is shared."""
        with self._lock:
            self._forget_connection()
            if self._consumer is not None:
                self._consumer.close()
                self._consumer = None

    def _use(self, work: Callable[[psycopg.Connection[Any]], Result]) -> Result:
        with self._lock:
            try:
                return work(self._connected())
            except OUTAGES:
                self._forget_connection()
                raise

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self.settings.database_url, application_name="relay shards")
            # An epoch that a crash takes back would be given out twice.
            self._connection.execute("set synchronous_commit to on")
            self._identity = read_identity(self._connection)
        return self._connection

    def _forget_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _topic_states(self) -> Mapping[str, topics.TopicState]:
        """State of each pinned topic that exists as it was pinned."""
        pins = dict(
            self._use(
                lambda connection: connection.execute(
                    "select topic, partitions from outbox.topics"
                ).fetchall()
            )
        )
        cluster = topics.describe(self._admin)
        found = topics.states(self._admin, pins, cluster)
        return {name: state for name, state in found.items() if state.partitions == pins[name]}
