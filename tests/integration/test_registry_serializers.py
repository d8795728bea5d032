"""Unmodified Confluent clients work against the embedded registry."""

from __future__ import annotations

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
