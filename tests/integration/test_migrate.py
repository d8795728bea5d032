"""`relay migrate` and the databases that it is given."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from relay.errors import DatabaseRefused
from relay.postgres.connect import connect
from relay.postgres.migrate import migrate


def test_a_url_with_several_hosts_is_migrated_on_the_one_that_takes_writes(database: str) -> None:
    url = urlsplit(database)
    user, _, server = url.netloc.rpartition("@")
    several = url._replace(netloc=f"{user}@127.0.0.1:9,{server}").geturl()

    migrate(several)
    migrate(several)

    with connect(several) as connection:
        assert connection.execute("select count(*) from outbox.migrations").fetchone() == (1,)


@pytest.fixture(params=["SQL_ASCII", "LATIN1"])
def oddly_encoded(
    request: pytest.FixtureRequest, postgres_server: Any, unique_name: str
) -> Iterator[str]:
    """URL of a database in that encoding."""
    name = f"odd_{unique_name[-8:]}"
    with psycopg.connect(postgres_server.url_of("postgres"), autocommit=True) as connection:
        connection.execute(
            f"create database {name} encoding '{request.param}' locale 'C' template template0"
        )
    yield postgres_server.url_of(name)
    postgres_server.drop_database(name)


def test_a_database_that_is_not_in_utf8_is_refused_in_one_line(oddly_encoded: str) -> None:
    with pytest.raises(DatabaseRefused, match="encoding"):
        connect(oddly_encoded)
    done = subprocess.run(
        [sys.executable, "-m", "relay.cli.main", "migrate"],
        env={
            **os.environ,
            "EVENT_BUS_DATABASE_URL": oddly_encoded,
            "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "EVENT_BUS_DATABASE_URL" in line
    assert "UTF8" in line
