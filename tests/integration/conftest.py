"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.local.kafka import LocalKafka
from relay.local.postgres import LocalPostgres
from relay.postgres.migrate import migrate
from tests.integration.consuming import World


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
def own_kafka(tmp_path: Path) -> Iterator[LocalKafka]:
    """A Kafka that only this test uses, to be killed and frozen."""
    server = LocalKafka(tmp_path / "kafka", properties={"group.min.session.timeout.ms": "1000"})
    server.start()
    yield server
    server.kill()
