"""What Java writes, Python reads, and the other way about, by the embedded registry's ids."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from relay.schema.approvals.registration import register_catalog
from relay.schema.catalog import Catalog
from relay.schema.client.client import RegistryClient
from tests import confluent_java
from tests.confluent_java import ConfluentJava
from tests.integration.registry_servers import record
from tests.relaying import Relay

pytestmark = pytest.mark.skipif(
    not confluent_java.wanted(), reason="EVENT_BUS_TEST_CLIENT=java asks Confluent's Java client"
)

SCHEMAS = Path(__file__).parents[2] / "schemas"
TEXT = record("id:string", "cents:long", "paid:boolean", "rate:double")
VALUE = {"id": "Zürich €", "cents": -(2**53), "paid": True, "rate": 0.1}


@pytest.fixture
def client(java: ConfluentJava, registry_url: str) -> Iterator[Any]:
    """A client that knows nothing yet."""
    made = java.client(registry_url)
    yield made
    made.close()


def test_what_java_writes_python_reads(java: ConfluentJava, client: Any, registry_url: str) -> None:
    topic = f"test-{uuid.uuid4().hex}"

    sent = java.written(client, f"{topic}-value", TEXT, VALUE)

    read = AvroDeserializer(SchemaRegistryClient({"url": registry_url}))
    assert read(sent, SerializationContext(topic, MessageField.VALUE)) == VALUE


def test_what_python_writes_java_reads(java: ConfluentJava, client: Any, registry_url: str) -> None:
    context = SerializationContext(f"test-{uuid.uuid4().hex}", MessageField.VALUE)
    write = AvroSerializer(SchemaRegistryClient({"url": registry_url}), TEXT)

    sent = write(VALUE, context)

    assert java.read(client, sent) == VALUE
    assert java.read(client, sent, record("cents:long", 'note:string="-"')) == {
        "cents": VALUE["cents"],
        "note": "-",
    }


def test_java_and_python_write_the_same_bytes(
    java: ConfluentJava, client: Any, registry_url: str
) -> None:
    topic = f"test-{uuid.uuid4().hex}"
    write = AvroSerializer(SchemaRegistryClient({"url": registry_url}), TEXT)

    by_python = write(VALUE, SerializationContext(topic, MessageField.VALUE))

    assert java.written(client, f"{topic}-value", TEXT, VALUE) == by_python
    assert list(client.getAllVersions(f"{topic}-value")) == [1]


def test_java_reads_what_the_relay_publishes(
    make_relay: Callable[..., Relay], java: ConfluentJava, client: Any
) -> None:
    relay = make_relay()
    relay.publish("a", 1)
    relay.publish("a", 2, note="hello")

    relay.must("run", "--until-idle")

    assert [java.read(client, sent.value) for sent in relay.published()] == [
        {"number": 1, "note": ""},
        {"number": 2, "note": "hello"},
    ]


def test_java_has_every_schema_of_the_catalog_under_the_id_that_it_was_registered_with(
    java: ConfluentJava, client: Any, registry_url: str
) -> None:
    # Given the catalog, registered from its files
    with RegistryClient(registry_url) as registry:
        registered = list(register_catalog(Catalog.load(SCHEMAS), registry))
    assert all(done.problem is None for done in registered)

    # When a Java program has the same files, which its parser writes in a form of its own
    found = {
        done.version.path.name: client.getId(done.version.subject, java.schema(done.version.text))
        for done in registered
    }

    # Then it finds them by what they say
    assert found == {done.version.path.name: done.schema_id for done in registered}
