"""The relay's own client: ids by text and fingerprint, outages told from errors."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from relay.errors import ConfigurationInvalid, RegistryUnavailable, SchemaUnknown
from relay.local.ports import HOST
from relay.local.postgres import LocalPostgres
from relay.local.registry import LocalRegistry
from relay.postgres.migrate import migrate
from relay.schema.avro.decoder import compile_decoder
from relay.schema.avro.fingerprint import rabin
from relay.schema.client.client import RegistryClient, RegistryRefused
from tests.integration.registry_servers import Asking, record, unused_subject
from tests.stack import until

NOWHERE = f"http://{HOST}:9"


@pytest.fixture
def client(registry_url: str) -> Iterator[RegistryClient]:
    with RegistryClient(registry_url) as client:
        yield client


@pytest.fixture
def subject() -> str:
    return unused_subject()


@contextmanager
def answering(found: dict[str, Any]) -> Iterator[str]:
    """URL of a registry that has one version, and `found` for it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = json.dumps([1] if self.path.endswith("/versions") else found).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://{HOST}:{server.server_port}"
        server.shutdown()


def fingerprint(text: str) -> bytes:
    return rabin(json.loads(text))


def amount(scale: int) -> str:
    kind = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": scale}
    fields = [{"name": "amount", "type": kind}]
    return json.dumps({"type": "record", "name": "Order", "fields": fields})


def test_the_id_is_looked_up_by_text_never_by_number(
    client: RegistryClient, registry_url: str, subject: str
) -> None:
    # Given a registry whose version 1 is the publisher's version 2, with swapped fields
    Asking(registry_url)("PUT", f"/config/{subject}", {"compatibility": "NONE"})
    here, there = record("from:string", "to:string"), record("to:string", "from:string")
    swapped = client.register(subject, there)
    mine = client.register(subject, here)

    assert client.id_of(subject, here, fingerprint(here)) == mine
    assert client.id_of(subject, there, fingerprint(there)) == swapped
    assert client.id_of_fingerprint(subject, fingerprint(here)) == mine


def test_a_text_that_lacks_the_fingerprint_of_the_bytes_gets_no_id(
    client: RegistryClient, subject: str
) -> None:
    # Given bytes written with a schema that swaps the fields of the registered one
    here, there = record("from:string", "to:string"), record("to:string", "from:string")
    client.register(subject, there)

    with pytest.raises(SchemaUnknown, match=fingerprint(here).hex()):
        client.id_of(subject, there, fingerprint(here))


def test_a_text_that_reads_otherwise_is_found_by_its_fingerprint(
    client: RegistryClient, subject: str
) -> None:
    text = record("a:int")
    registered = client.register(subject, text)
    documented = json.dumps({**json.loads(text), "doc": "an order"})

    assert client.id_of(subject, documented, fingerprint(documented)) == registered


def test_versions_that_differ_only_by_a_logical_type_keep_their_own_ids(
    client: RegistryClient, subject: str
) -> None:
    # Given 12.500 of version 2, which is 125.00 to readers of version 1
    cents, mills = amount(2), amount(3)
    assert fingerprint(cents) == fingerprint(mills)
    of_cents = client.register(subject, cents)
    # Then it is not framed as version 1 while version 2 is not registered
    assert client.id_of(subject, cents, fingerprint(cents)) == of_cents
    with pytest.raises(SchemaUnknown, match="relay schemas register"):
        client.id_of(subject, mills, fingerprint(mills))
    # and not when it is
    of_mills = client.register(subject, mills)
    assert client.id_of(subject, mills, fingerprint(mills)) == of_mills != of_cents
    assert client.id_of(subject, cents, fingerprint(cents)) == of_cents
    # and no id is guessed where the fingerprint alone is known
    with pytest.raises(SchemaUnknown, match=f"different logical types .*{of_cents}"):
        client.id_of_fingerprint(subject, fingerprint(cents))


def test_a_version_that_no_event_can_have_hides_none_of_the_others(
    client: RegistryClient, registry_url: str, subject: str
) -> None:
    # Given a newer version of somebody else's, which refers to a schema of another subject
    text = record("a:int")
    registered = client.register(subject, text)
    asking = Asking(registry_url)
    asking("PUT", f"/config/{subject}", {"compatibility": "NONE"})
    asking.register(f"{subject}-money", record("cents:long", name="Money"))
    reference = {"name": "Money", "subject": f"{subject}-money", "version": 1}
    asking.register(subject, record("paid:Money"), references=[reference])

    documented = json.dumps({**json.loads(text), "doc": "an order"})
    assert client.id_of_fingerprint(subject, fingerprint(text)) == registered
    assert client.id_of(subject, documented, fingerprint(text)) == registered


def test_a_schema_comes_with_the_types_of_all_schemas_that_it_refers_to(
    client: RegistryClient, registry_url: str, subject: str
) -> None:
    # Given a schema that refers to two, one of which refers to the other
    asking = Asking(registry_url)
    names = {
        "Money": record("cents:long", name="Money"),
        "Line": record("price:Money", name="Line"),
    }
    asking.register(f"{subject}-Money", names["Money"])
    references = [
        {"name": name, "subject": f"{subject}-{name}", "version": 1} for name in ("Money", "Line")
    ]
    asking.register(f"{subject}-Line", names["Line"], references=references[:1])
    text = record("line:Line", "paid:Money")
    schema_id = asking.register(subject, text, references=references[::-1])
    # When
    schema = client.schema(schema_id)
    # Then
    assert compile_decoder(schema)(b"\x02\x04") == {
        "line": {"price": {"cents": 1}},
        "paid": {"cents": 2},
    }
    assert client.versions(subject) == [(1, schema)]
    # and one that is missing is named, also after it was deleted softly
    asking("DELETE", f"/subjects/{subject}")
    asking("DELETE", f"/subjects/{subject}-Line")
    with RegistryClient(registry_url) as another:
        assert another.schema(schema_id) == schema


def test_looking_up_registers_nothing_and_is_not_cached(
    client: RegistryClient, registry_url: str, subject: str
) -> None:
    text = record("a:int")
    with pytest.raises(SchemaUnknown, match="relay schemas register"):
        client.id_of(subject, text, fingerprint(text))
    with pytest.raises(SchemaUnknown):
        client.id_of_fingerprint(subject, fingerprint(text))
    assert Asking(registry_url).code("GET", f"/subjects/{subject}/versions") == 40401

    registered = client.register(subject, text)

    assert client.id_of(subject, text, fingerprint(text)) == registered


def test_answers_outlive_the_registry(database_url: str, tmp_path: Path) -> None:
    text = record("a:int")
    with (
        LocalRegistry(
            tmp_path, database_url=database_url, bootstrap_servers="127.0.0.1:9"
        ) as server,
        RegistryClient(server.url) as client,
    ):
        registered = client.register("orders", text)
        assert client.id_of("orders", text, fingerprint(text)) == registered
        assert client.id_of_fingerprint("orders", fingerprint(text)) == registered
        assert client.schema(registered) == json.loads(text)
        server.stop()

        assert client.id_of("orders", text, fingerprint(text)) == registered
        assert client.id_of_fingerprint("orders", fingerprint(text)) == registered
        assert client.schema(registered) == json.loads(text)
        with pytest.raises(RegistryUnavailable, match="EVENT_BUS_SCHEMA_REGISTRY_URL"):
            client.id_of_fingerprint("orders", bytes(8))


def test_an_unknown_id_differs_from_an_unavailable_registry(client: RegistryClient) -> None:
    with pytest.raises(SchemaUnknown, match="17"):
        client.schema(17)
    with RegistryClient(NOWHERE) as away, pytest.raises(RegistryUnavailable):
        away.schema(17)


def test_another_url_answers_when_the_first_is_away(registry_url: str, subject: str) -> None:
    address = registry_url.removeprefix("http://")
    with RegistryClient(f"{NOWHERE}, http://someone:secret@{address}/") as client:
        assert client.register(subject, record("a:int")) > 0


def test_a_refusal_carries_the_registrys_code(client: RegistryClient, subject: str) -> None:
    client.register(subject, record("a:int"))

    with pytest.raises(RegistryRefused) as refusal:
        client.register(subject, record("a:string"))

    assert refusal.value.code == 409


def test_a_schema_of_another_type_is_named_and_hides_no_other() -> None:
    # Given a registry that has Protobuf under the subject
    found = {"id": 3, "version": 1, "schema": 'syntax = "proto3";', "schemaType": "PROTOBUF"}
    with answering(found) as url, RegistryClient(url) as client:
        with pytest.raises(SchemaUnknown, match="PROTOBUF"):
            client.schema(3)
        text = record("a:int")
        with pytest.raises(SchemaUnknown, match="relay schemas register"):
            client.id_of("orders", text, fingerprint(text))


@pytest.mark.parametrize("url", ["", " , ", "localhost:8081"])
def test_a_url_that_is_none_is_refused_by_name(url: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="EVENT_BUS_SCHEMA_REGISTRY_URL"):
        RegistryClient(url)


def test_passwords_stay_out_of_messages() -> None:
    with (
        RegistryClient(f"http://someone:secret@{HOST}:9") as client,
        pytest.raises(RegistryUnavailable) as failure,
    ):
        client.schema(1)

    assert "secret" not in str(failure.value)


def test_a_database_that_is_away_is_an_outage_and_over_when_it_is_back(tmp_path: Path) -> None:
    with LocalPostgres(tmp_path / "postgres") as postgres:
        url = postgres.url_of("postgres")
        migrate(url)
        registry = LocalRegistry(
            tmp_path / "registry", database_url=url, bootstrap_servers="127.0.0.1:9"
        )
        with registry, RegistryClient(registry.url) as client:
            registered = client.register("orders", record("a:int"))
            postgres.kill()

            assert Asking(registry.url).code("GET", "/subjects") == 50001
            with pytest.raises(RegistryUnavailable, match="503"):
                client.schema(registered)

            postgres.start()
            assert until(
                lambda: client.schema(registered), ignoring=(RegistryUnavailable,), timeout=30
            ) == json.loads(record("a:int"))
