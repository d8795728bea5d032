"""Unmodified Confluent clients work against the embedded registry."""

from __future__ import annotations

import json

import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.integration.registry_servers import record, unused_subject


@pytest.fixture
def client(registry_url: str) -> SchemaRegistryClient:
    return SchemaRegistryClient({"url": registry_url})


def test_what_an_avro_serializer_writes_an_avro_deserializer_reads(
    registry_url: str, client: SchemaRegistryClient
) -> None:
    topic = unused_subject()
    context = SerializationContext(topic, MessageField.VALUE)
    serialize = AvroSerializer(client, record("id:string", "cents:long"))

    sent = serialize({"id": "a", "cents": 1250}, context)

    # Given a reader that knows nothing yet and reads with a later version
    reader = AvroDeserializer(
        SchemaRegistryClient({"url": registry_url}), record("id:string", 'note:string="-"')
    )
    assert reader(sent, context) == {"id": "a", "note": "-"}
    assert sent[0] == 0
    assert int.from_bytes(sent[1:5], "big") == client.get_latest_version(f"{topic}-value").schema_id


def test_a_serializer_that_may_not_register_uses_what_is_registered(
    client: SchemaRegistryClient,
) -> None:
    topic = unused_subject()
    text = record("id:string")
    context = SerializationContext(topic, MessageField.VALUE)
    serialize = AvroSerializer(client, text, conf={"auto.register.schemas": False})
    with pytest.raises(SchemaRegistryError) as refusal:
        serialize({"id": "a"}, context)
    assert refusal.value.error_code == 40401

    registered = client.register_schema(f"{topic}-value", Schema(text, "AVRO"))

    assert int.from_bytes(serialize({"id": "a"}, context)[1:5], "big") == registered


def test_a_client_manages_versions_levels_and_modes(client: SchemaRegistryClient) -> None:
    subject = unused_subject()
    first = client.register_schema(subject, Schema(record("a:int"), "AVRO"))
    second = client.register_schema(subject, Schema(record("a:int", "b:int=0"), "AVRO"))

    assert client.get_versions(subject) == [1, 2]
    assert client.get_version(subject, 1).schema_id == first
    assert client.get_latest_version(subject).schema_id == second
    assert client.lookup_schema(subject, Schema(record("a:int"), "AVRO")).version == 1
    assert [v.version for v in client.get_schema_versions(second, subject)] == [2]
    assert subject in client.get_subjects_by_schema_id(first)
    assert subject in client.get_subjects()
    assert "." in client.get_contexts()
    assert client.get_schema_types() == ["AVRO"]

    assert not client.test_compatibility(subject, Schema(record("c:int"), "AVRO"))
    assert client.test_compatibility(subject, Schema(record("a:int", "c:int=0"), "AVRO"))
    client.set_compatibility(subject, "NONE")
    assert client.get_compatibility(subject) == "NONE"
    assert client.test_compatibility(subject, Schema(record("c:int"), "AVRO"))
    client.update_mode(subject, "READONLY")
    assert client.get_mode(subject) == "READONLY"
    client.delete_mode(subject)

    assert client.delete_version(subject, 1) == 1
    assert client.delete_subject(subject) == [2]
    assert client.delete_subject(subject, permanent=True) == [1, 2]
    assert subject not in client.get_subjects(deleted=True)


def test_a_schema_takes_a_type_from_another_subject(
    registry_url: str, client: SchemaRegistryClient
) -> None:
    money, order = unused_subject(), unused_subject()
    client.register_schema(money, Schema(record("cents:long", name="Money"), "AVRO"))
    text = record("total:Money")
    referring = Schema(text, "AVRO", [SchemaReference("Money", money, 1)])

    schema_id = client.register_schema(order, referring)

    found = SchemaRegistryClient({"url": registry_url}).get_schema(schema_id)
    assert [(one.name, one.subject, one.version) for one in found.references] == [
        ("Money", money, 1)
    ]
    assert client.get_referenced_by(money, 1) == [schema_id]


def test_a_serializer_writes_with_types_of_another_subject(
    registry_url: str, client: SchemaRegistryClient
) -> None:
    # Given a schema that takes a type from another subject
    money, topic = unused_subject(), unused_subject()
    context = SerializationContext(topic, MessageField.VALUE)
    client.register_schema(money, Schema(record("cents:long", name="Money"), "AVRO"))
    referring = Schema(record("total:Money"), "AVRO", [SchemaReference("Money", money, 1)])

    sent = AvroSerializer(client, referring)({"total": {"cents": 1250}}, context)

    # Then a reader that knows neither asks for both
    reader = AvroDeserializer(SchemaRegistryClient({"url": registry_url}))
    assert reader(sent, context) == {"total": {"cents": 1250}}


def test_a_serializer_that_uses_the_latest_version_writes_with_it(
    registry_url: str, client: SchemaRegistryClient
) -> None:
    # Given two versions, and a program that still has the first
    topic = unused_subject()
    context = SerializationContext(topic, MessageField.VALUE)
    first = record("id:string")
    client.register_schema(f"{topic}-value", Schema(first, "AVRO"))
    latest = client.register_schema(
        f"{topic}-value", Schema(record("id:string", 'note:string="-"'), "AVRO")
    )
    settings = {"auto.register.schemas": False, "use.latest.version": True}

    sent = AvroSerializer(client, first, conf=settings)({"id": "a"}, context)

    assert int.from_bytes(sent[1:5], "big") == latest
    reader = AvroDeserializer(SchemaRegistryClient({"url": registry_url}))
    assert reader(sent, context) == {"id": "a", "note": "-"}


def test_a_serializer_that_normalizes_finds_the_schema_written_otherwise(
    client: SchemaRegistryClient,
) -> None:
    topic = unused_subject()
    context = SerializationContext(topic, MessageField.VALUE)
    fields = [{"name": "id", "type": {"type": "string"}, "order": "ascending"}]
    written_out = {"type": "record", "name": "shop.Order", "fields": fields}
    short = {
        "name": "Order",
        "namespace": "shop",
        "type": "record",
        "fields": [{"type": "string", "name": "id"}],
    }
    settings = {"auto.register.schemas": True, "normalize.schemas": True}
    registered = client.register_schema(
        f"{topic}-value", Schema(json.dumps(written_out), "AVRO"), normalize_schemas=True
    )

    sent = AvroSerializer(client, json.dumps(short), conf=settings)({"id": "a"}, context)

    assert int.from_bytes(sent[1:5], "big") == registered
    assert client.get_versions(f"{topic}-value") == [1]
    # What is kept is the normal form
    assert json.loads(client.get_schema(registered).schema_str) == {
        "type": "record",
        "name": "shop.Order",
        "fields": [{"name": "id", "type": "string"}],
    }


def test_a_client_gets_the_code_and_the_place_of_a_refusal(
    client: SchemaRegistryClient,
) -> None:
    subject = unused_subject()

    with pytest.raises(SchemaRegistryError) as refusal:
        client.register_schema(subject, Schema(record("total:Money"), "AVRO"))

    assert (refusal.value.http_status_code, refusal.value.error_code) == (422, 42201)
    assert "$.fields[0].type" in refusal.value.error_message
