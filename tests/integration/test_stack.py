"""The local stack on real servers: crashes, several stacks, and nothing left over."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from relay.local.kafka import LocalKafka
from relay.local.postgres import LocalPostgres
from tests.stack import until

_DIGITS = [str(number) for number in range(10)]


@pytest.fixture
def relay_stack(tmp_path: Path) -> Iterator[Any]:
    """Runs `relay stack COMMAND --dir D`; the stack in D is gone after the test."""
    folder = tmp_path / "stack"

    def run(command: str, *options: str, dir: Path = folder) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "relay.cli.main", "stack", command, "--dir", str(dir), *options],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    yield run
    run("down", "--wipe")


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[LocalPostgres]:
    server = LocalPostgres(tmp_path / "postgres")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[LocalKafka]:
    server = LocalKafka(tmp_path / "kafka")
    server.start()
    yield server
    server.kill()


def test_every_test_gets_a_migrated_database_of_its_own(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        found = connection.execute("select to_regclass('outbox.domain_events')").fetchone()
    assert found is not None
    assert found[0] is not None


def test_the_registry_of_the_run_answers(registry_url: str) -> None:
    assert httpx.get(f"{registry_url}/subjects").status_code == 200


def test_committed_rows_survive_a_crash_of_postgresql_on_the_same_port(
    postgres: LocalPostgres,
) -> None:
    url = postgres.url
    with psycopg.connect(url) as connection:
        connection.execute("create table kept (n int)")
        connection.execute("insert into kept values (7)")

    postgres.kill()
    assert not postgres.running
    postgres.start()

    assert postgres.url == url
    with psycopg.connect(url) as connection:
        assert connection.execute("select n from kept").fetchall() == [(7,)]


def test_postgresql_restarts_after_only_the_postmaster_was_killed(postgres: LocalPostgres) -> None:
    process = postgres.process
    assert process is not None

    with psycopg.connect(postgres.url):
        process.kill()
        until(lambda: postgres.process is None)
        postgres.start()

    with psycopg.connect(postgres.url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_a_frozen_postgresql_answers_nothing_until_it_is_resumed(postgres: LocalPostgres) -> None:
    with closing(psycopg.connect(postgres.url, autocommit=True)) as connection:
        postgres.pause()
        connection.pgconn.send_query(b"select 1")
        connection.pgconn.flush()
        readable = _readable(connection.fileno(), seconds=0.3)
        postgres.resume()

        assert not readable
        assert _readable(connection.fileno(), seconds=10)


def test_settings_of_a_test_are_in_force_after_a_restart(postgres: LocalPostgres) -> None:
    postgres.settings["deadlock_timeout"] = "123ms"

    postgres.stop()
    postgres.start()

    with psycopg.connect(postgres.url) as connection:
        assert connection.execute("show deadlock_timeout").fetchone() == ("123ms",)
        assert connection.execute("show fsync").fetchone() == ("on",)


def test_a_wrong_setting_is_reported_with_postgresqls_message(postgres: LocalPostgres) -> None:
    from relay.errors import StackFailed

    postgres.stop()
    postgres.settings["shared_buffers"] = "many"

    with pytest.raises(StackFailed, match=r"invalid value for parameter \"shared_buffers\""):
        postgres.start()


def test_clusters_have_identifiers_of_their_own(postgres: LocalPostgres, database: str) -> None:
    identifiers = set()
    for url in (postgres.url, database):
        with psycopg.connect(url) as connection:
            row = connection.execute("select system_identifier from pg_control_system()").fetchone()
            identifiers.add(row)
    assert len(identifiers) == 2


def test_messages_survive_a_crash_of_the_broker_on_the_same_port(
    kafka: LocalKafka, unique_name: str
) -> None:
    address = kafka.bootstrap_servers
    _make_topic(address, unique_name)
    _produce(address, unique_name, _DIGITS)

    kafka.kill()
    assert not kafka.running
    kafka.start()

    assert kafka.bootstrap_servers == address
    assert _consume(address, unique_name, len(_DIGITS)) == _DIGITS


def test_a_stack_survives_its_shell_and_a_crash_of_all_its_parts(
    relay_stack: Any, tmp_path: Path
) -> None:
    # Given a stack whose command has ended
    first = json.loads(relay_stack("up", "--json").stdout)
    _make_topic(first["bootstrap_servers"], "kept")
    with psycopg.connect(first["database_url"]) as connection:
        connection.execute("create table kept ()")
    assert relay_stack("status").returncode == 0

    # When every part is killed
    for part in _parts(relay_stack):
        os.kill(part["pid"], signal.SIGKILL)
    until(lambda: {part["state"] for part in _parts(relay_stack)} == {"down"})
    assert relay_stack("status").returncode == 1

    # Then it comes up at the same addresses with its data
    assert json.loads(relay_stack("up", "--json").stdout) == first
    with psycopg.connect(first["database_url"]) as connection:
        assert connection.execute("select to_regclass('kept')").fetchone() == ("kept",)
    admin = AdminClient({"bootstrap.servers": first["bootstrap_servers"]})
    assert "kept" in admin.list_topics(timeout=10).topics
    assert httpx.get(f"{first['registry_url']}/subjects").status_code == 200

    # And env prints the same for a shell
    exported = relay_stack("env").stdout
    assert f"export EVENT_BUS_DATABASE_URL={first['database_url']}" in exported
    assert f"export EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS={first['bootstrap_servers']}" in exported
    assert f"export EVENT_BUS_SCHEMA_REGISTRY_URL={first['registry_url']}" in exported

    # And nothing is left running after down, the data is, and nothing at all after a wipe
    assert relay_stack("down").returncode == 0
    assert _processes_naming(tmp_path) == []
    assert (tmp_path / "stack" / "postgres").is_dir()
    assert relay_stack("down", "--wipe").returncode == 0
    assert not (tmp_path / "stack").exists()


def test_two_starts_at_once_make_one_stack_and_a_second_dir_makes_another(
    relay_stack: Any, tmp_path: Path
) -> None:
    up = [sys.executable, "-m", "relay.cli.main", "stack", "up", "--json", "--dir"]
    other = tmp_path / "other"
    try:
        starts = [
            subprocess.Popen(
                [*up, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            for folder in (tmp_path / "stack", tmp_path / "stack", other)
        ]
        ended = [(*start.communicate(timeout=120), start.returncode) for start in starts]
        assert [code for *_, code in ended] == [0, 0, 0], [said for _, said, _ in ended]
        first, again, second = (json.loads(printed) for printed, *_ in ended)

        assert first == again
        assert not set(first.values()) & set(second.values())
    finally:
        relay_stack("down", "--wipe", dir=other)


def test_a_stack_whose_folder_was_deleted_is_ended_by_down(
    relay_stack: Any, tmp_path: Path
) -> None:
    relay_stack("up")
    shutil.rmtree(tmp_path / "stack")

    assert relay_stack("down").returncode == 0

    assert _processes_naming(tmp_path) == []


def test_a_process_with_a_reused_pid_is_not_killed_by_down(
    relay_stack: Any, tmp_path: Path
) -> None:
    # Given a state file whose process number belongs to somebody else by now
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        state = tmp_path / "stack" / "kafka" / "server.json"
        state.parent.mkdir(parents=True)
        process = {"pid": bystander.pid, "started": 1.0, "marker": "server.properties"}
        state.write_text(json.dumps({"ports": {"port": 1}, "process": process}))

        assert relay_stack("down").returncode == 0

        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_servers_of_a_test_run_that_is_killed_end_with_it(tmp_path: Path) -> None:
    # Given a process that has started servers of its own
    program = (
        "import sys; from relay.local.postgres import LocalPostgres;"
        "from relay.local.kafka import LocalKafka;"
        f"LocalPostgres({str(tmp_path / 'pg')!r}).start();"
        f"LocalKafka({str(tmp_path / 'k')!r}).start();"
        "print('up', flush=True); sys.stdin.read()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"up\n"
    assert _processes_naming(tmp_path / "pg")

    # When it is killed without a chance to tidy up
    owner.kill()
    owner.communicate()

    # Then the servers are gone too
    until(lambda: not _processes_naming(tmp_path), what="PostgreSQL and Kafka have ended")


def test_bad_use_ends_with_2_and_one_line(relay_stack: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    refused = relay_stack("up", dir=tmp_path / "file")

    assert refused.returncode == 2
    assert "Choose another place with --dir" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert refused.stdout == ""


def _parts(relay_stack: Any) -> list[dict[str, Any]]:
    servers: list[dict[str, Any]] = json.loads(relay_stack("status", "--json").stdout)["servers"]
    return servers


def _processes_naming(folder: Path) -> list[str]:
    """Command lines of live servers that work in `folder` or have it on the command line."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "cwd", "status"]):
        if process.info["status"] == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
            continue
        words = " ".join(process.info["cmdline"] or [])
        where = str(process.info["cwd"] or "")
        if any(f"{root}/" in f"{text}/" for root in [folder] for text in (words, where)):
            found.append(words)
    return [words for words in found if "watchdog" not in words]


def _readable(descriptor: int, seconds: float) -> bool:
    import select

    return bool(select.select([descriptor], [], [], seconds)[0])


def _make_topic(bootstrap_servers: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    admin.create_topics([NewTopic(topic, num_partitions=1)])[topic].result(timeout=20)


def _produce(bootstrap_servers: str, topic: str, values: list[str]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap_servers, "acks": "all"})
    for value in values:
        producer.produce(topic, value=value)
    assert producer.flush(20) == 0


def _consume(bootstrap_servers: str, topic: str, count: int) -> list[str]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": topic,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([topic])
    received: list[str] = []

    def all_received() -> bool:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            received.append(message.value().decode())
        return len(received) >= count

    try:
        until(all_received, timeout=30)
    finally:
        consumer.close()
    return received
