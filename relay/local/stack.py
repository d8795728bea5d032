"""PostgreSQL, Kafka and the registry in one folder, started and stopped together."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from relay.errors import StackFailed
from relay.local.download import kafka_home
from relay.local.kafka import LocalKafka
from relay.local.kafka_config import Profile
from relay.local.postgres import LocalPostgres
from relay.local.provision import provision
from relay.local.registry import LocalRegistry
from relay.local.server import LocalServer

__all__ = ["LocalStack", "ServerStatus", "StackAddresses"]


@dataclass(frozen=True, slots=True)
class StackAddresses:
    """Where the parts of a stack are reached. registry_url is None in a stack without one."""

    database_url: str
    bootstrap_servers: str
    registry_url: str | None
    dir: str

    def settings(self) -> dict[str, str]:
        """The environment variables that point the relay at this stack."""
        found = {
            "EVENT_BUS_DATABASE_URL": self.database_url,
            "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "EVENT_BUS_SCHEMA_REGISTRY_URL": self.registry_url,
        }
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One part of a stack: `running`, `not answering` or `down`."""

    name: str
    state: str
    pid: int | None
    port: int | None


class LocalStack:
    """The stack in `dir`; every dir is a stack of its own.

    registry: False leaves the registry and the migrations out.
    outlive: the servers go on when the caller ends (default), or end with it.
    profile: of Kafka's Java. say: told in words what is done meanwhile.
    """

    def __init__(
        self,
        dir: Path | str = ".relay",
        *,
        registry: bool = True,
        outlive: bool = True,
        profile: Profile = "small",
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.dir = Path(dir).resolve()
        self.postgres = LocalPostgres(self.dir / "postgres", outlive=outlive)
        self.kafka = LocalKafka(self.dir / "kafka", profile=profile, outlive=outlive)
        self.registry = LocalRegistry(self.dir / "registry", outlive=outlive) if registry else None
        self._say = say

    @property
    def servers(self) -> dict[str, LocalServer]:
        """The parts by name, in the order in which they are started."""
        parts: dict[str, LocalServer] = {"postgres": self.postgres, "kafka": self.kafka}
        if self.registry is not None:
            parts["registry"] = self.registry
        return parts

    def start(self) -> StackAddresses:
        """Starts what does not run yet, migrates, and waits until everything answers.

        Parts that run are left alone; parts that were killed come up with their data on the
        same ports. Raises StackFailed.
        """
        with self._locked():
            if not kafka_home().joinpath("lib").is_dir():
                provision()
            # Kafka takes longest: the others start while it boots.
            self._say("starting Kafka and PostgreSQL")
            self.kafka.launch()
            self.postgres.start()
            if self.registry is not None:
                self._say("migrating the database, starting the schema registry")
                _migrate(self.postgres.url)
                self.registry.database_url = self.postgres.url
                self.registry.bootstrap_servers = self.kafka.bootstrap_servers
                self.registry.launch()
            self.kafka.await_ready()
            if self.registry is not None:
                self.registry.await_ready()
            return self.addresses()

    def stop(self) -> None:
        """Ends all parts in good order; the data stays."""
        with self._locked() if self.dir.exists() else contextlib.nullcontext():
            for server in reversed(self.servers.values()):
                server.stop()

    def discard(self) -> None:
        """Kills all parts and removes their data, and nothing else that lies in the dir."""
        with self._locked() if self.dir.exists() else contextlib.nullcontext():
            for server in self.servers.values():
                server.discard()
            if self.dir.exists():
                (self.dir / "lock").unlink(missing_ok=True)
                if not any(self.dir.iterdir()):
                    self.dir.rmdir()

    def addresses(self) -> StackAddresses:
        """Where the parts are; raises StackFailed when the stack was never started."""
        return StackAddresses(
            database_url=self.postgres.url,
            bootstrap_servers=self.kafka.bootstrap_servers,
            registry_url=self.registry.url if self.registry is not None else None,
            dir=str(self.dir),
        )

    def status(self) -> list[ServerStatus]:
        """What each part does right now."""
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


def _migrate(database_url: str) -> None:
    from relay.postgres.migrate import migrate

    migrate(database_url)
