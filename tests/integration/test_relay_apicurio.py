"""The relay publishes with Apicurio in place of the embedded registry."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from relay.schema.catalog import Catalog
from tests import apicurio
from tests.relaying import Relay

pytestmark = pytest.mark.skipif(
    not apicurio.wanted(), reason="EVENT_BUS_TEST_REGISTRY=apicurio compares with Apicurio"
)


def test_a_relay_on_apicurio_publishes_what_its_clients_read(
    make_relay: Callable[..., Relay], apicurio_url: str
) -> None:
    # Given a relay whose schemas stand in Apicurio, which knows them by ids of its own
    relay = make_relay(registry_url=apicurio_url)
    relay.publish("a", 1)
    relay.publish("a", 2, note="hello")

    # When it has run
    relay.must("run", "--until-idle")

    # Then a reader that asks Apicurio for the ids gets the events
    read = AvroDeserializer(SchemaRegistryClient({"url": apicurio_url}))
    context = SerializationContext(relay.topic, MessageField.VALUE)
    assert [read(record.value, context) for record in relay.published()] == [
        {"number": 1, "note": ""},
        {"number": 2, "note": "hello"},
    ]
    assert all(row["delivered_at"] for row in relay.status())


def test_registering_the_catalog_again_changes_nothing_in_apicurio(
    make_relay: Callable[..., Relay], apicurio_url: str
) -> None:
    relay = make_relay(registry_url=apicurio_url)
    client = SchemaRegistryClient({"url": apicurio_url})
    subject = Catalog.load(relay.folder / "schemas").active("counted").subject
    before = client.get_latest_version(subject)

    relay.must("schemas", "register")

    assert client.get_versions(subject) == [before.version]
    assert client.get_latest_version(subject).schema_id == before.schema_id
