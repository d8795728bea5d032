"""Where is measured: servers of its own or given ones, and a new relay for every scenario."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil
from confluent_kafka.admin import AdminClient
from psycopg import sql

from relay.bench import event
from relay.bench.fill import fill
from relay.bench.options import BenchFailed, Options, Servers
from relay.kafka.options import client_options
from relay.local.stack import LocalStack
from relay.postgres.connect import connect
from relay.postgres.migrate import migrate
from relay.publish import pinned
from relay.schema.catalog import Catalog
from relay.schema.client.client import RegistryClient
from relay.schema.client.register import register_catalog
from relay.settings import Settings, load_settings

__all__ = ["BenchRelay", "Place", "describe_servers", "open_place"]


@dataclass(frozen=True, slots=True)
class BenchRelay:
    """A relay that nothing was published with yet.

    environment: the settings of its processes. folder: its own, they work in it.
    """

    domain: str
    folder: Path
    environment: dict[str, str]
    settings: Settings

    @property
    def database_url(self) -> str:
        """Its own database."""
        return self.settings.database_url

    @property
    def topic(self) -> str:
        """The only topic of events."""
        return f"events.{self.domain}"

    def fill(self, rows: int, aggregates: int, *, avro: bool) -> float:
        """Writes a backlog; rows a second. See relay.bench.fill.fill."""
        lines = event.backlog(self.domain, rows, aggregates, avro=avro)
        return fill(self.database_url, lines)


@dataclass(frozen=True, slots=True)
class Place:
    """Servers and a folder for what is made while measuring.

    name: begins the names of all relays, and so of the databases and topics of a run.
    postgres, kafka: root processes of the servers; None where those were given.
    """

    name: str
    servers: Servers
    folder: Path
    postgres: psutil.Process | None
    kafka: psutil.Process | None
    partitions: int
    shards: int

    @contextmanager
    def relay(self, *, copies: bool = False, **settings: str) -> Iterator[BenchRelay]:
        """A migrated relay with its schema registered; its database and topics go afterwards.

        copies: whether each event is published under two major versions. settings: by name in
        small letters, without prefix.
        """
        name = f"{self.name}_{uuid.uuid4().hex[:6]}"
        folder = self.folder / name
        event.write_catalog(folder / "schemas", name, self.partitions, copies=copies)
        given: dict[str, Any] = {
            "name": name,
            "database_url": _with_database(self.servers.database_url, name),
            "kafka_bootstrap_servers": self.servers.bootstrap_servers,
            "schema_registry_url": self.servers.registry_url,
            "schemas_dir": str(folder / "schemas"),
            "shards": str(self.shards),
            **settings,
        }
        environment = {f"EVENT_BUS_{key.upper()}": value for key, value in given.items()}
        made = BenchRelay(name, folder, environment, load_settings(**given))
        admin = AdminClient(client_options(made.settings))
        self._run(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            self._prepare(made, admin)
            yield made
        finally:
            self._run(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )
            for future in admin.delete_topics([made.topic, made.settings.positions_topic]).values():
                # Of one that was never made as well: a topic left over spoils no figure.
                future.exception()

    def _prepare(self, made: BenchRelay, admin: AdminClient) -> None:
        migrate(made.database_url)
        catalog = Catalog.load(made.settings.schemas_dir)
        with connect(made.database_url, application_name="relay bench") as connection:
            pinned.pin(connection, admin, made.settings, catalog.topics)
        with RegistryClient(made.settings.schema_registry_url) as registry:
            for done in register_catalog(catalog, registry):
                if done.problem:
                    raise BenchFailed(f"the bench's schema was refused: {done.problem}")

    def _run(self, statement: sql.Composed) -> None:
        with connect(self.servers.database_url, application_name="relay bench") as connection:
            connection.execute(statement)


@contextmanager
def open_place(options: Options, servers: Servers | None) -> Iterator[Place]:
    """The place for a run; all that was started or made for it is gone afterwards.

    servers: to be used instead of own ones. Their user must be allowed to create databases.
    """
    name = f"bench_{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory(prefix="relay-bench-") as made:
        folder = Path(made)
        if servers is not None:
            yield Place(name, servers, folder, None, None, options.partitions, options.shards)
            return
        stack = LocalStack(folder / "stack", outlive=False, profile="measuring")
        try:
            addresses = stack.start()
            assert addresses.registry_url is not None
            yield Place(
                name,
                Servers(
                    addresses.database_url, addresses.bootstrap_servers, addresses.registry_url
                ),
                folder,
                stack.postgres.process,
                stack.kafka.process,
                options.partitions,
                options.shards,
            )
        finally:
            stack.discard()


def describe_servers(place: Place) -> dict[str, Any]:
    """Versions of what is measured."""
    with connect(place.servers.database_url, application_name="relay bench") as connection:
        row = connection.execute("show server_version").fetchone()
    return {
        "postgres": row[0] if row else None,
        "own_servers": place.postgres is not None,
    }


def _with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
