"""The servers to measure on, and a new relay for every measurement."""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
from psycopg import sql

from relay.bench import event
from relay.bench.options import BenchFailed, Options, Servers
from relay.kafka.topics import create, open_admin
from relay.local.stack import LocalStack
from relay.postgres.connect import connect
from relay.postgres.migrate import migrate
from relay.postgres.sqlfile import load
from relay.publish import pinned
from relay.schema.approvals.registration import register_catalog
from relay.schema.catalog import Catalog
from relay.schema.client.client import RegistryClient
from relay.settings import Settings, load_settings

__all__ = ["BenchRelay", "Testbed", "open_testbed"]

# A real backlog comes from many transactions; one per row would take longer than the measurement.
_ROWS_PER_TRANSACTION = 1_000
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class BenchRelay:
    """A relay with an empty outbox, a database and topics of its own.

    environment: the settings of its processes. folder: their working directory.
    """

    domain: str
    folder: Path
    environment: dict[str, str]
    settings: Settings

    @property
    def topic(self) -> str:
        """The only topic of events."""
        return f"events.{self.domain}"

    def connect(self) -> psycopg.Connection[Any]:
        """Opens a connection to the relay's database."""
        return _connect(self.settings.database_url)

    def read_row(self, query: str) -> tuple[Any, ...]:
        """Runs a file of relay/bench/queries and returns its only row."""
        with self.connect() as connection:
            row: tuple[Any, ...] | None = connection.execute(load(__package__, query)).fetchone()
        assert row is not None
        return row

    def await_row(
        self, query: str, value: object, deadline: float, tail: Callable[[], str]
    ) -> None:
        """Waits until a query's only row is `value`. tail: the end of the log of the process that
        works for it. Raises BenchFailed after `deadline`, by time.monotonic()."""
        while self.read_row(query) != (value,):
            if time.monotonic() > deadline:
                raise BenchFailed(f"{query} does not become {value}; the log ends: {tail()}")
            time.sleep(_POLL_SECONDS)

    def count_flags(self) -> dict[str, int]:
        """Counts events, flagged (with topic, partition and offset) and deliveries (all flags)."""
        events, flagged, deliveries = self.read_row("count_flags.sql")
        return {"events": events, "flagged": flagged, "deliveries": deliveries}

    def fill(self, rows: int, aggregates: int, *, avro: bool) -> float:
        """Writes a backlog and vacuums the table; returns rows per second.

        The vacuum keeps autovacuum from starting during the measurement.
        """
        lines = event.backlog(self.domain, rows, aggregates, avro=avro)
        seconds = 0.0
        with self.connect() as connection:
            while chunk := "".join(islice(lines, _ROWS_PER_TRANSACTION)):
                began = time.perf_counter()
                with connection.cursor().copy(load(__package__, "copy_backlog.sql")) as copy:
                    copy.write(chunk)
                seconds += time.perf_counter() - began
            connection.execute("vacuum analyze outbox.domain_events")
        return rows / max(seconds, 1e-9)


@dataclass(frozen=True, slots=True)
class Testbed:
    """Servers and a temporary folder.

    name: prefix of the names of all relays of a run, and so of its databases and topics.
    processes: root processes of the servers by name; None for servers that were already running.
    """

    name: str
    options: Options
    servers: Servers
    folder: Path
    processes: Mapping[str, psutil.Process | None]

    def deadline(self) -> float:
        """Returns when a scenario that starts now has failed, by time.monotonic()."""
        return time.monotonic() + self.options.limit_seconds

    def server_version(self) -> str:
        """Reads PostgreSQL's version."""
        with _connect(self.servers.database_url) as connection:
            row: tuple[str] | None = connection.execute("show server_version").fetchone()
        assert row is not None
        return row[0]

    @contextmanager
    def relay(
        self,
        *,
        copies: bool = False,
        monthly: bool = False,
        group: str | None = None,
        **settings: str,
    ) -> Iterator[BenchRelay]:
        """Creates a relay with its schema registered; drops its database and topics afterwards.

        copies: publish each event under two major versions. monthly: an outbox with partitions.
        group: a consumer group of the events. settings: fields of Settings.
        """
        name = f"{self.name}_{uuid.uuid4().hex[:6]}"
        folder = self.folder / name
        event.write_catalog(
            folder / "schemas", name, self.options.partitions, copies=copies, group=group
        )
        given: dict[str, Any] = {
            "name": name,
            "database_url": urlunsplit(urlsplit(self.servers.database_url)._replace(path=name)),
            "kafka_bootstrap_servers": self.servers.bootstrap_servers,
            "schema_registry_url": self.servers.registry_url,
            "schemas_dir": str(folder / "schemas"),
            "shards": str(self.options.shards),
            **settings,
        }
        environment = {f"EVENT_BUS_{key.upper()}": value for key, value in given.items()}
        relay = BenchRelay(name, folder, environment, load_settings(**given))
        database = sql.Identifier(name)
        self._run(sql.SQL("create database {}").format(database))
        try:
            _prepare(relay, monthly=monthly)
            yield relay
        finally:
            self._run(sql.SQL("drop database if exists {} with (force)").format(database))
            # Kept in a variable: without its client a deletion is abandoned.
            admin = open_admin(relay.settings)
            topics = [*_all_topics(relay), relay.settings.positions_topic]
            for future in admin.delete_topics(topics).values():
                # Also fails for a topic that was never created; a leftover spoils no figure.
                future.exception()

    def _run(self, statement: sql.Composed) -> None:
        with _connect(self.servers.database_url) as connection:
            connection.execute(statement)


@contextmanager
def open_testbed(options: Options, servers: Servers | None) -> Iterator[Testbed]:
    """Opens the testbed of a run; removes everything that was started or created for it.

    servers: to be used instead of new ones. Their user must be allowed to create databases.
    """
    name = f"bench_{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory(prefix="relay-bench-") as made:
        folder = Path(made)
        if servers is not None:
            yield Testbed(name, options, servers, folder, {"postgres": None, "kafka": None})
            return
        stack = LocalStack(folder / "stack", outlive=False, profile="measuring")
        try:
            found = stack.start()
            servers = Servers(found.database_url, found.bootstrap_servers, found.registry_url)
            processes = {"postgres": stack.postgres.process, "kafka": stack.kafka.process}
            yield Testbed(name, options, servers, folder, processes)
        finally:
            stack.discard()


def _all_topics(relay: BenchRelay) -> list[str]:
    return list(Catalog.load(relay.settings.schemas_dir).all_topics())


def _prepare(relay: BenchRelay, *, monthly: bool) -> None:
    """Migrates the database, creates the topics, and registers the schemas."""
    settings = relay.settings
    migrate(settings.database_url, monthly=monthly)
    catalog = Catalog.load(settings.schemas_dir)
    with relay.connect() as connection:
        pinned.pin(connection, open_admin(settings), settings, catalog.topics)
    create(open_admin(settings), catalog.all_topics(), replication=settings.replication_factor)
    with RegistryClient(settings.schema_registry_url) as registry:
        for done in register_catalog(catalog, registry):
            if done.problem:
                raise BenchFailed(f"the registry refused the bench's schema: {done.problem}")


def _connect(url: str) -> psycopg.Connection[Any]:
    return connect(url, application_name="relay bench")
