"""Starts and stops PostgreSQL, Kafka and the registry together, in one folder."""

from __future__ import annotations

import contextlib
import fcntl
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from relay.errors import StackFailed
from relay.local.download import kafka_home, kafka_libraries
from relay.local.java import Java, find_java
from relay.local.kafka import LocalKafka
from relay.local.kafka_config import Profile
from relay.local.postgres import LocalPostgres
from relay.local.registry import LocalRegistry
from relay.local.server import LocalServer

__all__ = ["LocalStack", "ServerStatus", "StackAddresses", "provision"]


@dataclass(frozen=True, slots=True)
class StackAddresses:
    """The addresses of a stack's parts."""

    database_url: str
    bootstrap_servers: str
    registry_url: str
    dir: str

    def settings(self) -> dict[str, str]:
        """Returns the environment variables that point the relay at this stack."""
        return {
            "EVENT_BUS_DATABASE_URL": self.database_url,
            "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "EVENT_BUS_SCHEMA_REGISTRY_URL": self.registry_url,
        }


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One part of a stack: `running`, `not answering` or `down`."""

    name: str
    state: str
    pid: int | None
    port: int | None


class LocalStack:
    """The stack in `dir`; every dir is a separate stack.

    outlive: keep the servers running when the caller ends.
    profile: of Kafka's Java. say: called with each step, for progress messages.
    """

    def __init__(
        self,
        dir: Path | str = ".relay",
        *,
        outlive: bool = True,
        profile: Profile = "small",
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.dir = Path(dir).resolve()
        self.postgres = LocalPostgres(self.dir / "postgres", outlive=outlive)
        self.kafka = LocalKafka(self.dir / "kafka", profile=profile, outlive=outlive)
        self.registry = LocalRegistry(self.dir / "registry", outlive=outlive)
        self._say = say

    @property
    def servers(self) -> dict[str, LocalServer]:
        """The parts by name, in the order in which they start."""
        return {"postgres": self.postgres, "kafka": self.kafka, "registry": self.registry}

    def start(self) -> StackAddresses:
        """Starts the parts that don't run yet, migrates, and waits until all parts answer.

        Parts that were killed come up with their data on the same ports. Raises StackFailed.
        """
        from relay.postgres.migrate import migrate

        with self._locked():
            if not kafka_home().joinpath("lib").is_dir():
                provision()
            # Kafka takes longest, so it boots while the others start.
            self._say("starting Kafka and PostgreSQL")
            self.kafka.launch()
            self.postgres.start()
            self._say("migrating the database, starting the schema registry")
            migrate(self.postgres.url)
            self.registry.database_url = self.postgres.url
            self.registry.bootstrap_servers = self.kafka.bootstrap_servers
            self.registry.launch()
            self.kafka.await_ready()
            self.registry.await_ready()
            return self.addresses()

    def stop(self) -> None:
        """Stops all parts; the data stays."""
        with self._locked() if self.dir.exists() else contextlib.nullcontext():
            for server in reversed(self.servers.values()):
                server.stop()

    def discard(self) -> None:
        """Kills all parts and removes their data, but no other files in the dir."""
        with self._locked() if self.dir.exists() else contextlib.nullcontext():
            for server in self.servers.values():
                server.discard()
            if self.dir.exists():
                (self.dir / "lock").unlink(missing_ok=True)
                if not any(self.dir.iterdir()):
                    self.dir.rmdir()

    def addresses(self) -> StackAddresses:
        """Returns the addresses; raises StackFailed if the stack was never started."""
        return StackAddresses(
            database_url=self.postgres.url,
            bootstrap_servers=self.kafka.bootstrap_servers,
            registry_url=self.registry.url,
            dir=str(self.dir),
        )

    def status(self) -> list[ServerStatus]:
        """Returns the state of each part."""
        return [_status(name, server) for name, server in self.servers.items()]

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.dir.mkdir(parents=True, exist_ok=True)
            lock = (self.dir / "lock").open("w")
        except OSError as error:
            raise StackFailed(
                f"{self.dir} can't be used for a stack: {error.strerror}. "
                "Choose another place with --dir"
            ) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _status(name: str, server: LocalServer) -> ServerStatus:
    process = server.process
    if process is None:
        return ServerStatus(name, "down", None, server.known_port)
    state = "running" if server.running else "not answering"
    return ServerStatus(name, state, process.pid, server.known_port)


def provision() -> Path:
    """Downloads Kafka and records the archive of its classes, unless they exist.

    Returns the folder of both. Raises StackFailed.
    """
    kafka_libraries()
    home = kafka_home()
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        java = find_java()
        if not java.archive_file(home).exists():
            _record_archive(home, java)
    return home


def _record_archive(home: Path, java: Java) -> None:
    """Records the archive in Kafka's folder `home`; takes about ten seconds.

    For a Java that can't record it leaves an empty file, so that this is not tried again.
    """
    print("recording Kafka's classes for quick starts (about 10 s, once)", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="record-", dir=home) as folder:
        draft = Path(folder) / "archive"
        broker = LocalKafka(Path(folder) / "broker", extra_java=java.recording_archive(draft))
        try:
            broker.start()
        except StackFailed:
            broker.kill()
        broker.stop()
        draft.touch()
        draft.rename(java.archive_file(home))
