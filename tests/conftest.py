"""Fixtures: one PostgreSQL and one Kafka a run, a database of its own for every test."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import stack


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The run's PostgreSQL. Tests that kill or freeze a server start one of their own."""
    with stack.running_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The run's Kafka. Tests that kill or freeze a broker start one of their own."""
    with stack.running_kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture(scope="session")
def migrated_template(postgres_server: stack.Database) -> str:
    """Name of a database with all migrations, to be copied."""
    from relay.outbox.migrate import migrate

    name = "migrated"
    migrate(postgres_server.create_database(name))
    stack.forbid_connections(postgres_server.url_of("postgres"), name)
    return name


@pytest.fixture
def database_url(postgres_server: stack.Database, migrated_template: str) -> Iterator[str]:
    """URL of a migrated database that only this test uses."""
    name = _unused()
    yield postgres_server.create_database(name, template=migrated_template)
    postgres_server.drop_database(name)


@pytest.fixture
def database(postgres_server: stack.Database) -> Iterator[str]:
    """URL of an empty database that only this test uses."""
    name = _unused()
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)


@pytest.fixture
def bootstrap_servers(kafka_server: stack.Broker) -> str:
    """The run's Kafka, `host:port`; topics are to be named with `unique_name`."""
    return kafka_server.bootstrap_servers


@pytest.fixture(scope="session")
def registry_url(
    postgres_server: stack.Database,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The run's embedded registry, on a database of its own."""
    from relay.local.registry import LocalRegistry

    name = _unused()
    registry = LocalRegistry(
        tmp_path_factory.mktemp("registry"),
        database_url=postgres_server.create_database(name, template=migrated_template),
        bootstrap_servers="127.0.0.1:9",
    )
    registry.start()
    yield registry.url
    registry.stop()
    postgres_server.drop_database(name)


@pytest.fixture
def unique_name(request: pytest.FixtureRequest) -> str:
    """A name that no other test and no other run uses: for topics, relays and groups."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return f"{words[:30].strip('-')}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def until() -> Callable[..., Any]:
    """The function `tests.stack.until`, for tests that prefer a fixture."""
    return stack.until


@pytest.fixture
def stack_dir(tmp_path: Path) -> Path:
    """A folder for servers of the test's own."""
    return tmp_path / "stack"


def _unused() -> str:
    return f"test_{uuid.uuid4().hex[:12]}"
