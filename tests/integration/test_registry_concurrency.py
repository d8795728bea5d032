"""Many clients at several servers over one database: one id a schema, versions without gaps."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from relay.local.registry import LocalRegistry
from relay.registry.store import SchemaStore
from tests.integration.registry_servers import Asking, record
from tests.stack import until

CLIENTS = 50


@pytest.fixture
def urls(database_url: str, tmp_path: Path) -> Iterator[list[str]]:
    servers = [
        LocalRegistry(tmp_path / name, database_url=database_url, bootstrap_servers="127.0.0.1:9")
        for name in ("one", "two")
    ]
    with servers[0], servers[1]:
        yield [server.url for server in servers]


def test_fifty_clients_that_register_the_same_schema_get_one_id_and_one_version(
    urls: list[str],
) -> None:
    # Given one schema in two writings
    texts = [record("a:int"), record("a:int").replace('"int"', '{"type": "int"}')]

    def register(number: int) -> int:
        # When half of them register it under another subject
        text = texts[number % 3 % 2]
        client = SchemaRegistryClient({"url": urls[number % 2]})
        return client.register_schema(f"subject-{number // 25}", Schema(text, "AVRO"))

    with ThreadPoolExecutor(CLIENTS) as threads:
        ids = list(threads.map(register, range(CLIENTS)))

    assert len(set(ids)) == 1
    ask = Asking(urls[0])
    assert ask("GET", "/subjects/subject-0/versions") == (200, [1])
    assert ask("GET", "/subjects/subject-1/versions") == (200, [1])


def test_fifty_clients_that_register_different_schemas_leave_no_gap_in_the_versions(
    urls: list[str],
) -> None:
    def register(number: int) -> int:
        # Given 25 schemas, each registered by two clients at two servers, who ask but once
        text = record("a:int", f"b{number // 2}:int=0")
        return Asking(urls[number % 2]).register("orders", text)

    with ThreadPoolExecutor(CLIENTS) as threads:
        ids = list(threads.map(register, range(CLIENTS)))

    ask = Asking(urls[1])
    assert ids[::2] == ids[1::2]
    assert len(set(ids)) == CLIENTS // 2
    assert ask("GET", "/subjects/orders/versions") == (200, list(range(1, CLIENTS // 2 + 1)))
    found = {ask("GET", f"/subjects/orders/versions/{n}")[1]["id"] for n in range(1, 26)}
    assert found == set(ids)


def test_two_schemas_that_exclude_each_other_do_not_both_get_in(urls: list[str]) -> None:
    ask = [Asking(url) for url in urls]
    rivals = [record("a:int", name="A"), record("a:string", name="A")]

    for round_ in range(10):

        def register(number: int, subject: str = f"race-{round_}") -> int:
            body = {"schema": rivals[number]}
            return ask[number]("POST", f"/subjects/{subject}/versions", body)[0]

        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(register, range(2))) == [200, 409]


def test_a_server_that_hangs_while_it_writes_blocks_no_reader(
    urls: list[str], database_url: str
) -> None:
    ask = Asking(urls[0])
    schema_id = ask.register("orders", record("a:int"))

    # Given a transaction that has the lock, and more writers than the server has connections
    with psycopg.connect(database_url) as frozen, ThreadPoolExecutor(12) as threads:
        SchemaStore(frozen).lock()
        writers = [
            threads.submit(ask, "PUT", f"/config/s{number}", {"compatibility": "FULL"})
            for number in range(12)
        ]
        until(lambda: _waiting_for_the_lock(database_url) == 8, what="8 writers that wait")
        assert ask("GET", f"/schemas/ids/{schema_id}")[0] == 200
        answers = [writer.result() for writer in writers]

    assert {(status, content["error_code"]) for status, content in answers} == {(503, 50001)}
    assert any("try again" in content["message"] for _, content in answers)
    assert ask("PUT", "/config/s0", {"compatibility": "FULL"})[0] == 200


def test_a_session_that_hangs_while_it_has_the_lock_is_ended(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        SchemaStore(connection).lock()
        [idle] = connection.execute("show idle_in_transaction_session_timeout").fetchone() or [""]

    assert idle == "1min"


def _waiting_for_the_lock(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "select count(*) from pg_locks join pg_database on pg_database.oid = database "
            "where locktype = 'advisory' and not granted and datname = current_database()"
        ).fetchone()
    return int(row[0]) if row else 0
