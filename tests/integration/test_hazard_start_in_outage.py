"""H49: processes that are started, or started again, during an outage wait for its end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from relay.local.kafka import LocalKafka
from relay.local.postgres import LocalPostgres
from tests.relaying import Relay, end
from tests.stack import until

Server = LocalPostgres | LocalKafka


@pytest.mark.parametrize("away", ["PostgreSQL", "Kafka"])
def test_a_worker_that_is_killed_during_an_outage_does_not_end_the_relay(
    relay_of_server: Relay, server: Server, away: str
) -> None:
    # Given supervised workers
    relay = relay_of_server
    supervisor = relay.start("run", "--workers", "2")
    relay.publish("a", 1)
    relay.wait_until_delivered(1)
    relay.wait_until_decided()
    # When a server dies, and a worker with it
    before = workers(supervisor)
    server.kill()
    os.kill(before[0], signal.SIGKILL)
    until(lambda: set(workers(supervisor)) - set(before), what="the worker is started again")
    until(lambda: waits(relay, away) > 0, timeout=40)
    # Then all live until it is back, and go on
    assert supervisor.poll() is None
    assert before[1] in workers(supervisor)
    server.start()
    relay.publish("a", 2)
    relay.wait_until_delivered(2, timeout=60)
    assert supervisor.poll() is None
    assert end(supervisor) == 0


@pytest.mark.parametrize("away", ["PostgreSQL", "Kafka"])
@pytest.mark.parametrize("words", [("run",), ("consume", "--until-idle"), ("reconcile",)])
def test_what_is_started_during_an_outage_begins_once_it_is_over(
    relay_of_server: Relay, server: Server, away: str, words: tuple[str, ...]
) -> None:
    # Given a server that is unavailable
    relay = relay_of_server
    server.kill()
    # When the command is started
    process = relay.start(
        *words, EVENT_BUS_CONSUMERS="tests.integration.idle_group", EVENT_BUS_LOG_LEVEL="INFO"
    )
    # Then it logs in one line what it waits for
    until(lambda: waits(relay, away) == 1, timeout=40)
    assert process.poll() is None
    # and begins once the server is back
    server.start()
    match words[0]:
        case "run":
            relay.publish("a", 1)
            relay.wait_until_delivered(1, timeout=60)
        case "consume":
            until(lambda: process.poll() is not None, timeout=60)
            assert process.returncode == 0
        case "reconcile":
            until(lambda: "reads events." in relay.log(), timeout=60)
    assert end(process) == 0


def test_a_database_that_turns_read_only_for_a_while_ends_nothing(
    make_relay: Callable[..., Relay], own_postgres: LocalPostgres
) -> None:
    # Given workers that are stopped just before they write
    relay = make_relay(database_url=own_postgres.url)
    supervisor = relay.start("run", "--workers", "2")
    relay.publish("a", 1)
    relay.wait_until_delivered(1)
    before = workers(supervisor)
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    for number in range(2, 10):
        relay.publish(f"k{number}", number)
    # When they find the database read-only, as where its disk is full or it has failed over
    with psycopg.connect(own_postgres.url, autocommit=True) as admin:
        admin.execute("alter system set default_transaction_read_only = on")
        admin.execute("select pg_reload_conf()")
        for pid in before:
            os.kill(pid, signal.SIGCONT)
        until(lambda: waits(relay, "PostgreSQL") > 0, timeout=30)
        admin.execute("set default_transaction_read_only = off")
        admin.execute("alter system reset default_transaction_read_only")
        admin.execute("select pg_reload_conf()")
    # Then they go on once it takes writes again
    relay.wait_until_delivered(9, timeout=60)
    assert sorted(workers(supervisor)) == sorted(before)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda url: url.replace("://postgres:", "://postgres:wrong"), "password"),
        (lambda url: url.rpartition("/")[0] + "/nowhere", "nowhere"),
    ],
)
def test_what_a_person_has_to_correct_ends_in_a_line_instead_of_waiting(
    relay: Relay, change: Callable[[str], str], says: str
) -> None:
    url = change(relay.database_url)
    for words in (("run",), ("consume",), ("reconcile",), ("registry", "serve", "--port", "0")):
        done = relay.command(
            *words, EVENT_BUS_DATABASE_URL=url, EVENT_BUS_CONSUMERS="tests.integration.idle_group"
        )
        assert done.returncode == 2, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert "EVENT_BUS_DATABASE_URL" in done.stderr
        assert says in done.stderr


def test_the_registry_waits_for_its_database_and_says_so(
    own_postgres: LocalPostgres, tmp_path: Path
) -> None:
    # Given a registry that is started while its database is unavailable
    own_postgres.kill()
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "relay.cli.main", "registry", "serve", "--port", "0"],
            env={**os.environ, "EVENT_BUS_DATABASE_URL": own_postgres.url},
            stderr=file,
        )
    try:
        until(lambda: "waiting for it" in log.read_text())
        # Then, without any request, it says every few seconds why it waits
        until(lambda: "PostgreSQL is still unavailable" in log.read_text())
        # and that it has it back
        own_postgres.start()
        until(lambda: "PostgreSQL is available again" in log.read_text())
        # and answers
        address = re.search(r"http://\S+", log.read_text())
        assert address is not None
        assert httpx.get(f"{address[0]}/subjects", trust_env=False).json() == []
    finally:
        assert end(process) == 0


def workers(supervisor: subprocess.Popen[bytes]) -> list[int]:
    """Process ids of the workers."""
    return [child.pid for child in psutil.Process(supervisor.pid).children()]


def waits(relay: Relay, server: str) -> int:
    """How many lines say that a process waits for a server."""
    return relay.log().count(f"{server} is unavailable, waiting for it")
