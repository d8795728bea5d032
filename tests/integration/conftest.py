"""Fixtures of the tests on real servers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.relaying import Relay, create_relay


@pytest.fixture
def make_relay(
    database_url: str,
    bootstrap_servers: str,
    registry_url: str,
    unique_name: str,
    tmp_path: Path,
) -> Callable[..., Relay]:
    """Creates the test's relay; keywords are settings, in small letters, or servers' addresses."""

    def make(**settings: str) -> Relay:
        addresses = {
            "database_url": database_url,
            "bootstrap_servers": bootstrap_servers,
            "registry_url": registry_url,
        }
        given = {key: settings.pop(key, value) for key, value in addresses.items()}
        return create_relay(tmp_path, unique_name, **given, **settings)

    return make


@pytest.fixture
def relay(make_relay: Callable[..., Relay]) -> Relay:
    """A migrated relay with its schemas registered; nothing runs yet."""
    return make_relay()
