"""Runs the embedded schema registry as a process beside the local PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import httpx

from relay.local.ports import HOST
from relay.local.server import LocalServer

__all__ = ["LocalRegistry"]


class LocalRegistry(LocalServer):
    """`relay registry serve` on 127.0.0.1.

    database_url: a migrated database. bootstrap_servers: a required setting; never connected to.
    """

    title: ClassVar[str] = "the schema registry"
    program: ClassVar[str] = "registry serve"
    stop_timeout: ClassVar[float] = 10.0

    def __init__(
        self,
        dir: Path | str,
        *,
        database_url: str = "",
        bootstrap_servers: str = "",
        outlive: bool = False,
    ) -> None:
        super().__init__(dir, outlive=outlive)
        self.database_url = database_url
        self.bootstrap_servers = bootstrap_servers

    @property
    def marker(self) -> str:
        """The command with its port, which is on the command line."""
        return f"registry serve --host {HOST} --port {self.port}"

    @property
    def url(self) -> str:
        """The URL of Confluent's API."""
        return f"http://{HOST}:{self.port}"

    def _spawn(self) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "EVENT_BUS_DATABASE_URL": self.database_url,
            "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "EVENT_BUS_SCHEMA_REGISTRY_URL": self.url,
        }
        command = [sys.executable, "-m", "relay.cli.main", *self.marker.split()]
        return self._run(command, environment=environment)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/subjects", timeout=2.0, trust_env=False).is_success
        except httpx.HTTPError:
            return False
