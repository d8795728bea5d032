"""The AsyncAPI document: what is on which topic, who sends and who receives it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from relay.consume.dead_letters.producer import Omit, UnsentDeadLetter
from relay.kafka import headers as consumed
from relay.publish.message import Messages, Route
from relay.schema.catalog import Catalog
from relay.schema.export.asyncapi import asyncapi
from relay.schema.export.brokers import Brokers
from relay.schema.export.documents import json_text
from relay.schema.export.wire import (
    ALWAYS,
    DEAD_LETTER_HEADERS,
    EVENT_HEADERS,
    REPLAY_HEADERS,
)
from relay.schema.majors.copies import Copy
from tests.unit.test_catalog import ORDERS, SHIPPED, avsc

PARSER = os.environ.get("ASYNCAPI_PARSER_DIR", "")
PARSE = Path(__file__).parent / "parse_asyncapi.cjs"
VERSIONS = "versions: {1: deprecated, 2: active, 3: proposed, 4: retired}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """order.paid in four versions, each in another state."""
    (tmp_path / "orders").mkdir()
    text = ORDERS.replace("versions: {1: active}", VERSIONS)
    (tmp_path / "orders" / "domain.yaml").write_text(text)
    for number in range(1, 5):
        file = tmp_path / "orders" / f"order.paid.v{number}.avsc"
        file.write_text(json.dumps({**avsc(), "doc": f"Version {number}."}))
    return tmp_path


def shipped(brokers: Brokers | None = None) -> dict[str, Any]:
    return asyncapi(Catalog.load(SHIPPED), brokers or Brokers())


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    if isinstance(value, list):
        for item in value:
            yield from references(item)


def resolve(document: Any, reference: str) -> Any:
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_there_is_a_channel_for_every_topic_of_the_catalog_and_no_other() -> None:
    catalog = Catalog.load(SHIPPED)

    channels = shipped()["channels"]

    bindings = {name: channel["bindings"]["kafka"] for name, channel in channels.items()}
    assert {name: binding["partitions"] for name, binding in bindings.items()} == (
        catalog.all_topics()
    )
    assert all(channel["address"] == name for name, channel in channels.items())


def test_references_resolve_and_operations_stay_in_their_channels() -> None:
    document = shipped()

    found = list(references(document))
    assert found
    for reference in found:
        resolve(document, reference)
    for operation in document["operations"].values():
        channel = operation["channel"]["$ref"]
        assert operation["messages"]
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{channel}/messages/")


def test_each_group_receives_its_events_under_its_own_id_and_read_committed() -> None:
    catalog, document = Catalog.load(SHIPPED), shipped()

    for group, topics in catalog.groups.items():
        for topic, names in topics.items():
            operation = document["operations"][f"consume.{group}.{topic}"]
            messages = [resolve(document, ref["$ref"]) for ref in operation["messages"]]
            wanted = [resolve(document, message["$ref"])["x-event-type"] for message in messages]
            assert operation["action"] == "receive"
            assert wanted == list(names)
            assert operation["bindings"]["kafka"]["groupId"]["const"] == group
            assert "isolation.level=read_committed" in operation["description"]


def test_only_active_and_deprecated_versions_are_published_and_the_latter_are_marked(
    folder: Path,
) -> None:
    document = asyncapi(Catalog.load(folder), Brokers())
    messages = document["components"]["messages"]

    assert list(document["channels"]["events.orders"]["messages"]) == [
        "order.paid.v1",
        "order.paid.v2",
    ]
    assert messages["order.paid.v1"]["deprecated"] is True
    assert messages["order.paid.v1"]["description"].startswith("Deprecated")
    assert "deprecated" not in messages["order.paid.v2"]


def test_a_payload_is_the_avro_schema_of_its_file() -> None:
    document, version = shipped(), Catalog.load(SHIPPED).active("order.paid")

    message = document["components"]["messages"]["order.paid.v1"]
    payload = resolve(document, message["payload"]["$ref"])

    assert payload["schemaFormat"] == "application/vnd.apache.avro;version=1.9.0"
    assert payload["schema"] == version.avsc
    assert message["x-fingerprint"] == version.fingerprint.hex()


def test_headers_are_those_that_the_relay_writes() -> None:
    copy = Copy(2, "order.paid.v2", "subject", b"", lambda encoded: encoded)
    route = Route("t", "orders", 1, 10**6, b"", lambda _: b"", (copy,))
    given = dict.fromkeys(consumed.METADATA, "x")
    at = "2026-01-31 12:00:00+00"

    def headers(metadata: dict[str, str], route: Route) -> list[list[str]]:
        """Of a row's record, and of its copies."""
        kind, text = ("order.paid", 1, None), json.dumps(metadata)
        row = (1, "id", *kind[:2], "order", "o-1", text, at, None, None, "{}", None)
        messages, routes = Messages(lambda *_: route, lambda _: None), {kind: route}
        original = messages.build(row, routes)  # type: ignore[arg-type]
        copies = messages.copies(row, routes, original)  # type: ignore[arg-type]
        return [[name for name, _ in each[4]] for each in (original, *(c for _, c in copies))]

    full, copied = headers(given, route)
    assert {*full, *copied} == set(EVENT_HEADERS)
    assert set(full) ^ set(copied) == {
        "ce_copies",
        consumed.ORIGINAL_ID,
        consumed.ORIGINAL_TYPE,
    }
    assert headers({}, replace(route, copies=())) == [ALWAYS]


@pytest.mark.parametrize("omit", Omit)
@pytest.mark.parametrize("state", ["dead", "resolved"])
def test_headers_of_dead_letters_are_those_that_consumers_write(state: str, omit: Omit) -> None:
    at = datetime(2026, 1, 31, tzinfo=UTC)
    place = ("events.orders", 0, 1, b"o-1", b"", [], [])
    failure = ("handle", "ValueError", "no", "Traceback", at, at, at, "dlq")
    letter = UnsentDeadLetter("id", 1, state, *place, *failure)

    written = {name for name, _ in letter.record("billing", omit)["headers"]}

    required = resolve(shipped(), "components/schemas/deadLetterHeaders/required")
    assert set(required) <= written <= DEAD_LETTER_HEADERS.keys()


def test_headers_of_dead_letters_and_replays_are_complete() -> None:
    own = {
        value
        for value in vars(consumed).values()
        if isinstance(value, str) and value.startswith(consumed.DLQ_PREFIX)
    } - {consumed.DLQ_PREFIX}

    assert DEAD_LETTER_HEADERS.keys() | REPLAY_HEADERS.keys() == own
    assert consumed.REPLAYED_AT not in DEAD_LETTER_HEADERS


def test_the_digest_follows_the_contract_and_not_the_servers(folder: Path) -> None:
    catalog = Catalog.load(folder)
    first = asyncapi(catalog, Brokers())["info"]["version"]
    assert asyncapi(catalog, Brokers("other:9092"))["info"]["version"] == first

    domain = folder / "orders" / "domain.yaml"
    domain.write_text(domain.read_text().replace("1: deprecated", "1: retired"))

    assert asyncapi(Catalog.load(folder), Brokers())["info"]["version"] != first


def test_equal_catalogs_give_equal_bytes() -> None:
    assert json_text(shipped()) == json_text(shipped())


def test_servers_are_those_of_the_settings_without_secrets() -> None:
    options = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "u",
        "sasl.password": "very-secret",
    }
    document = shipped(Brokers("a:9092, b:9092", "https://u:very-secret@registry/x", options))

    servers = document["servers"]
    assert [server["host"] for server in servers.values()] == ["a:9092", "b:9092"]
    assert {server["protocol"] for server in servers.values()} == {"kafka-secure"}
    assert document["components"]["securitySchemes"]["sasl"]["type"] == "scramSha512"
    assert servers["kafka-1"]["bindings"]["kafka"]["schemaRegistryUrl"] == "https://registry/x"
    assert "very-secret" not in json_text(document)


def test_without_settings_the_server_is_to_be_filled_in() -> None:
    (server,) = shipped()["servers"].values()

    assert server["host"] == "{bootstrapServer}"
    assert server["variables"]["bootstrapServer"]["default"]


@pytest.mark.skipif(
    not PARSER,
    reason="needs Node.js: set ASYNCAPI_PARSER_DIR to a folder where "
    "`npm install @asyncapi/parser @asyncapi/avro-schema-parser` was run",
)
@pytest.mark.parametrize(
    "brokers",
    [
        Brokers(),
        Brokers("a:1,b:2", "http://r:8081", {"security.protocol": "SASL_SSL"}),
    ],
)
def test_the_asyncapi_parser_accepts_the_document(
    tmp_path: Path, folder: Path, brokers: Brokers
) -> None:
    for name, catalog in (("shipped", Catalog.load(SHIPPED)), ("states", Catalog.load(folder))):
        file = tmp_path / f"{name}.json"
        file.write_text(json_text(asyncapi(catalog, brokers)))

        done = subprocess.run(
            ["node", str(PARSE), PARSER, str(file)], capture_output=True, text=True, check=False
        )

        assert done.returncode == 0, done.stdout + done.stderr
        report = json.loads(done.stdout)
        assert report["problems"] == []
        assert report["channels"] == len(catalog.all_topics())
