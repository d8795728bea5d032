"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from relay.local.kafka import LocalKafka
from relay.local.postgres import LocalPostgres
from relay.postgres.migrate import migrate
from tests.integration.consuming import World
from tests.integration.standby import Standby
from tests.relaying import Relay


@pytest.fixture
def world(tmp_path: Path, unique_name: str, database_url: str, bootstrap_servers: str) -> World:
    """A domain with one event type, its topics and a consumer group; nothing runs yet."""
    return World(tmp_path, unique_name, database_url, bootstrap_servers)


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[LocalPostgres]:
    """A migrated PostgreSQL that only this test uses, to be killed and frozen."""
    server = LocalPostgres(tmp_path / "postgres")
    server.start()
    migrate(server.url)
    yield server
    server.kill()


@pytest.fixture
def primary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPostgres]:
    """A server that may be killed for good."""
    server = LocalPostgres(tmp_path_factory.mktemp("primary"), settings={"autovacuum": "off"})
    server.start()
    migrate(server.url)
    yield server
    server.kill()


@pytest.fixture
def standby(primary: LocalPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standby]:
    """A standby of that server that has all of it."""
    server = Standby(tmp_path_factory.mktemp("standby"), primary)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[LocalKafka]:
    """A Kafka that only this test uses, to be killed and frozen."""
    server = LocalKafka(tmp_path / "kafka", properties={"group.min.session.timeout.ms": "1000"})
    server.start()
    yield server
    server.kill()


@pytest.fixture
def server(request: pytest.FixtureRequest, away: str) -> LocalPostgres | LocalKafka:
    """The test's own server, of the kind that its parameter `away` names."""
    name = {"PostgreSQL": "own_postgres", "Kafka": "own_kafka"}[away]
    found: LocalPostgres | LocalKafka = request.getfixturevalue(name)
    return found


@pytest.fixture
def relay_of_server(server: LocalPostgres | LocalKafka, make_relay: Callable[..., Relay]) -> Relay:
    """A relay on `server` and, for the other kind, on the run's."""
    if isinstance(server, LocalPostgres):
        return make_relay(database_url=server.url)
    return make_relay(bootstrap_servers=server.bootstrap_servers)
