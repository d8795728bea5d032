"""The stage of a run: servers, proxies and processes, set up and in normal operation."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from relay.local.ports import HOST
from relay.local.server import LocalServer
from relay.local.stack import LocalStack
from relay.postgres.connect import libpq_url
from tests.chaos.broker import ProxiedKafka
from tests.chaos.events import write_catalog
from tests.chaos.fates import GROUPS
from tests.chaos.processes import Processes
from tests.chaos.proxy import Proxy
from tests.chaos.writer import ACCOUNTS
from tests.stack import until

__all__ = ["SHARDS", "Size", "Stage"]

ROOT: Final = Path(__file__).resolve().parents[2]
SHARDS: Final = 6
# The processes that reach PostgreSQL and Kafka through proxies of their own.
PROXIED: Final = ("worker", "consumer")
_READY_S: Final = 90.0
_SERVER_S: Final = 180.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much goes on. rate: transactions a second of each writer. members: of each group."""

    writers: int = 2
    rate: float = 15.0
    members: int = 2


class Stage:
    """Everything that runs. The injector's threads share it."""

    def __init__(self, folder: Path, seed: int, size: Size) -> None:
        self.folder = folder
        self._seed = seed
        self._size = size
        self.stack = LocalStack(folder / "stack", outlive=False)
        self.stack.kafka = ProxiedKafka(folder / "stack" / "kafka", PROXIED)
        self.kafka_proxies = self.stack.kafka.proxies
        self.database_proxies = {name: Proxy(lambda: self.stack.postgres.port) for name in PROXIED}
        self._locks = {name: threading.Lock() for name in self.stack.servers}
        self.processes: Processes

    def set_up(self) -> None:
        """Starts the servers and prepares the database, the topics and the registry."""
        addresses = self.stack.start()
        write_catalog(self.folder / "schemas")
        self.processes = Processes(
            self.folder,
            {
                **addresses.settings(),
                "EVENT_BUS_NAME": "chaos",
                "EVENT_BUS_SCHEMAS_DIR": str(self.folder / "schemas"),
                "EVENT_BUS_CONSUMERS": "tests.chaos.consumers",
                "EVENT_BUS_SHARDS": str(SHARDS),
                "EVENT_BUS_MAX_ATTEMPTS": "8",
                "EVENT_BUS_BACKOFF_INITIAL_MS": "200",
                "EVENT_BUS_BACKOFF_MAX_MS": "1000",
                "PYTHONPATH": str(ROOT),
            },
        )
        self.processes.run_relay("migrate")
        self.processes.run_relay("schemas", "register")
        with self.connect() as connection:
            connection.execute((Path(__file__).parent / "tables.sql").read_text())
            connection.cursor().executemany(
                "insert into chaos.aggregates (id) values (%s)", [(name,) for name in ACCOUNTS]
            )

    def start_processes(self) -> None:
        """Starts workers, consumers and the reconciler, and waits until all shards have a worker
        and all groups their members."""
        self.processes.add_relay("worker-1", "run", **self._through("worker"))
        self.processes.add_relay("worker-2", "run")
        self.processes.add_relay("supervisor", "run", "--workers", "2")
        for group in GROUPS:
            for number in range(1, self._size.members + 1):
                proxied = self._through("consumer") if number == 1 else {}
                self.processes.add_relay(f"consumer-{group}-{number}", "consume", group, **proxied)
        self.processes.add_relay("reconciler", "reconcile")
        with self.connect() as connection:
            until(
                lambda: (
                    connection.execute("select count(*) from outbox.shards").fetchone() == (SHARDS,)
                ),
                timeout=_READY_S,
                what="all shards have a worker",
            )

    def start_writers(self) -> None:
        """Starts the writers."""
        for number in range(self._size.writers):
            name = f"writer-{number}"
            self.processes.add(
                name,
                "tests.chaos.writer",
                str(number),
                str(self._seed),
                str(self._size.rate),
                str(self.folder / f"{name}.account"),
            )

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """A connection of the harness's own, in autocommit."""
        url = libpq_url(self.stack.postgres.url)
        return psycopg.connect(
            url, autocommit=True, connect_timeout=5, application_name="chaos", **options
        )

    @contextlib.contextmanager
    def server(self, name: str) -> Iterator[LocalServer]:
        """A server for one fault at a time; it runs again afterwards."""
        with self._locks[name]:
            server = self.stack.servers[name]
            try:
                yield server
            finally:
                server.resume()
                server.launch()
                server.await_ready(_SERVER_S)

    def close(self) -> None:
        """Ends everything."""
        if hasattr(self, "processes"):
            self.processes.close()
        for proxy in (*self.kafka_proxies.values(), *self.database_proxies.values()):
            proxy.close()
        for server in self.stack.servers.values():
            server.kill()

    def _through(self, name: str) -> dict[str, str]:
        """Settings of a process that reaches its servers through proxies."""
        url = self.stack.postgres.url.replace(
            f":{self.stack.postgres.port}/", f":{self.database_proxies[name].port}/"
        )
        return {
            "EVENT_BUS_DATABASE_URL": url,
            "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{self.kafka_proxies[name].port}",
        }
