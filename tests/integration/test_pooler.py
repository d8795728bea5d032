"""Through a pooler in transaction mode services publish; the relay itself refuses it (H48)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from relay.bus import DomainEventBus
from relay.errors import DatabaseRefused
from relay.local.ports import free_port
from relay.postgres.connect import connect
from tests.integration.publishing import noted, rows
from tests.relaying import Relay
from tests.stack import until

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = pytest.mark.skipif(
    PGBOUNCER is None, reason="needs pgbouncer: install the package pgbouncer of the distribution"
)


@contextmanager
def pooler(url: str, folder: Path, mode: str, ignored: str) -> Iterator[str]:
    """A pgbouncer in front of the database; its URL."""
    assert PGBOUNCER is not None
    server = urlsplit(url)
    port = free_port()
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        "[databases]\n"
        f"* = host={server.hostname} port={server.port} user={server.username} "
        f"password={server.password}\n"
        "[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\nunix_socket_dir =\n"
        f"pool_mode = {mode}\nignore_startup_parameters = {ignored}\n"
    )
    for place in (folder, configuration):
        place.chmod(0o755)
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([PGBOUNCER, *user, str(configuration)], stdout=log, stderr=log)
    pooled = server._replace(netloc=f"{server.username}:any@127.0.0.1:{port}").geturl()
    try:
        until(
            lambda: psycopg.connect(pooled, connect_timeout=2).close() is None,
            ignoring=(psycopg.OperationalError,),
        )
        yield pooled
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def open_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that other accounts can read: pgbouncer does not run as root."""
    folder = tmp_path_factory.mktemp("pgbouncer")
    for parent in [folder, *folder.parents[:2]]:
        parent.chmod(0o755)
    return folder


@pytest.mark.parametrize("mode", ["transaction", "session"])
@pytest.mark.parametrize("ignored", ["extra_float_digits", "extra_float_digits, options"])
def test_the_relay_refuses_a_pooler_in_one_line(
    make_relay: Callable[..., Relay], open_folder: Path, mode: str, ignored: str
) -> None:
    relay = make_relay()
    with pooler(relay.database_url, open_folder, mode, ignored) as pooled:
        with pytest.raises(DatabaseRefused, match="pooler"):
            connect(pooled)
        done = relay.command("run", "--until-idle", EVENT_BUS_DATABASE_URL=pooled)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "pooler" in line
    assert "EVENT_BUS_DATABASE_URL" in line


def test_services_publish_through_a_pooler_in_transaction_mode(
    database_url: str, open_folder: Path
) -> None:
    with (
        pooler(database_url, open_folder, "transaction", "") as pooled,
        psycopg.connect(pooled, prepare_threshold=None) as first,
        psycopg.connect(pooled, prepare_threshold=None) as second,
    ):
        for number in range(20):
            for connection in (first, second):
                connection.execute(
                    "select outbox.publish('counted', 'counter', 'a', jsonb_build_object("
                    "'number', %s::integer))",
                    (number,),
                )
                connection.commit()
        DomainEventBus.publish(first, noted())
        first.commit()
    assert len(rows(database_url)) == 41
