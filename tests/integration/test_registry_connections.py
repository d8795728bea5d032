"""Clients that connect to the embedded registry and say nothing, or only half of it."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from relay.local.ports import HOST
from tests.integration.registry_servers import Asking
from tests.stack import until

FILES = 100
HALF_A_REQUEST = b"POST /subjects/a/versions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
ANSWERED_AND_MORE = b"GET /subjects HTTP/1.1\r\nHost: x\r\n\r\nGET /sub"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def url(database_url: str, log: Path) -> Iterator[str]:
    """A registry that may have no more than `FILES` files and connections open."""
    command = [sys.executable, "-m", "relay.cli.main", "registry", "serve", "--port", "0"]
    with (
        log.open("w") as stderr,
        subprocess.Popen([*command, "--database-url", database_url], stderr=stderr) as server,
    ):
        until(lambda: "http://" in log.read_text() and log.read_text().endswith("\n"))
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
        yield log.read_text().split()[-1]
        server.terminate()


def test_clients_that_do_not_end_a_request_keep_no_others_out(url: str, log: Path) -> None:
    until(lambda: Asking(url)("GET", "/subjects"), ignoring=(httpx.HTTPError,))

    with ExitStack() as connections:
        for said in (b"", b"GET /sub", HALF_A_REQUEST, ANSWERED_AND_MORE) * (FILES // 4):
            silent = socket.create_connection((HOST, urlsplit(url).port or 0))
            connections.enter_context(silent).sendall(said)

        assert until(
            lambda: httpx.get(f"{url}/schemas/types", timeout=2.0, trust_env=False).is_success,
            ignoring=(httpx.HTTPError,),
            timeout=60,
        )

    assert "Exception in ASGI application" not in log.read_text()
