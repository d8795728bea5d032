"""Fixtures of the integration tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.consuming import World


@pytest.fixture
def world(tmp_path: Path, unique_name: str, database_url: str, bootstrap_servers: str) -> World:
    """A domain with one event type, its topics and a consumer group; nothing runs yet."""
    return World(tmp_path, unique_name, database_url, bootstrap_servers)
