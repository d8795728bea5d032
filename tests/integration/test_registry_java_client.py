"""Confluent's client for Java, unchanged, works against the embedded registry."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from tests import confluent_java
from tests.confluent_java import ConfluentJava
from tests.integration.registry_servers import record, unused_subject
from tests.oracle.__main__ import SEED
from tests.oracle.pairs import pair

pytestmark = pytest.mark.skipif(
    not confluent_java.wanted(), reason="EVENT_BUS_TEST_CLIENT=java asks Confluent's Java client"
)

Code = Callable[..., int]


@pytest.fixture
def client(java: ConfluentJava, registry_url: str) -> Iterator[Any]:
    """A client that knows nothing yet."""
    made = java.client(registry_url)
    yield made
    made.close()


@pytest.fixture
def code(java: ConfluentJava) -> Code:
    """Calls a method that the registry must refuse, and answers the code."""

    def call(method: Callable[..., Any], *values: Any) -> int:
        with pytest.raises(java.RestClientException) as refusal:
            method(*values)
        found = int(refusal.value.getErrorCode())
        assert str(found).startswith(str(refusal.value.getStatus()))
        return found

    return call


def test_what_it_registers_it_finds_by_subject_version_and_id(
    java: ConfluentJava, client: Any, registry_url: str
) -> None:
    subject = unused_subject()
    first, second = java.schema(record("a:int")), java.schema(record("a:int", "b:int=0"))

    one, two = client.register(subject, first), client.register(subject, second)

    # Given another, which has nothing in its cache
    other = java.client(registry_url)
    latest = other.getLatestSchemaMetadata(subject)
    assert (latest.getId(), latest.getVersion()) == (two, 2)
    assert (latest.getSchemaType(), latest.getSchema()) == ("AVRO", second.canonicalString())
    assert other.getSchemaMetadata(subject, 1).getId() == one
    assert other.getByVersion(subject, 1, False).getId() == one
    assert other.getSchemaById(one).canonicalString() == first.canonicalString()
    assert other.getSchemaBySubjectAndId(subject, two).rawSchema() == second.rawSchema()
    assert other.getId(subject, first) == one
    assert other.getVersion(subject, second) == 2
    assert list(other.getAllVersions(subject)) == [1, 2]
    assert subject in set(other.getAllSubjects())
    assert list(other.getAllSubjectsByPrefix(subject)) == [subject]
    assert subject in set(other.getAllSubjectsById(one))
    assert [v.getVersion() for v in other.getAllVersionsById(one) if v.getSubject() == subject] == [
        1
    ]
    assert [s.canonicalString() for s in other.getSchemas(subject, False, True)] == [
        second.canonicalString()
    ]


def test_the_service_below_it_has_the_rest(
    java: ConfluentJava, client: Any, registry_url: str
) -> None:
    subject = unused_subject()
    schema_id = client.register(subject, java.schema(record("a:int")))
    service = java.RestService(registry_url)

    assert list(service.getSchemaTypes()) == ["AVRO"]
    assert "." in list(service.getAllContexts())
    assert json.loads(service.getOnlySchemaById(schema_id)) == json.loads(record("a:int"))
    assert json.loads(service.getVersionSchemaOnly(subject, 1)) == json.loads(record("a:int"))
    assert json.loads(service.getLatestVersionSchemaOnly(subject)) == json.loads(record("a:int"))
    assert list(service.getReferencedBy(subject, 1)) == []
    assert list(service.getDeletedOnlySubjects(subject)) == []
    client.deleteSchemaVersion(subject, "1")
    assert list(service.getDeletedOnlySubjects(subject)) == [subject]
    assert list(service.getDeletedOnlyVersions(subject)) == [1]


def test_it_gets_the_code_of_what_it_does_not_find(
    java: ConfluentJava, client: Any, code: Code
) -> None:
    subject, schema = unused_subject(), java.schema(record("a:int"))

    assert code(client.getLatestSchemaMetadata, subject) == 40401
    assert code(client.getAllVersions, subject) == 40401
    assert code(client.getId, subject, schema) == 40401
    assert code(client.getSchemaById, 2147483646) == 40403
    client.register(subject, schema)
    assert code(client.getSchemaMetadata, subject, 9) == 40402
    assert code(client.getId, subject, java.schema(record("b:int"))) == 40403
    assert code(client.getLatestWithMetadata, subject, {"major": "1"}, False) == 40403


def test_it_gets_the_code_of_a_schema_that_is_refused(
    java: ConfluentJava, client: Any, code: Code, registry_url: str
) -> None:
    subject = unused_subject()
    service = java.RestService(registry_url)

    assert code(service.registerSchema, '{"type":"nothing"}', subject) == 42201
    assert code(service.getVersion, subject, 0) == 42202
    client.register(subject, java.schema(record("a:int")))
    assert code(client.register, subject, java.schema(record("a:string"))) == 409


def test_it_asks_whether_a_schema_is_compatible_and_why_not(
    java: ConfluentJava, client: Any
) -> None:
    subject = unused_subject()
    client.register(subject, java.schema(record("a:int")))
    fits, fails = java.schema(record("a:int", "b:int=0")), java.schema(record("a:int", "c:string"))

    assert client.testCompatibility(subject, fits)
    assert not client.testCompatibility(subject, fails)
    assert list(client.testCompatibilityVerbose(subject, fits)) == []
    (message,) = client.testCompatibilityVerbose(subject, fails)
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in message
    assert list(client.testCompatibilityVerbose(unused_subject(), fails)) == []


def test_it_sets_levels(java: ConfluentJava, client: Any, code: Code) -> None:
    subject = unused_subject()
    client.register(subject, java.schema(record("a:int")))

    assert client.getCompatibility(None) == "BACKWARD"
    assert code(client.getCompatibility, subject) == 40408
    assert client.updateCompatibility(subject, "NONE") == "NONE"
    assert client.getCompatibility(subject) == "NONE"
    assert client.testCompatibility(subject, java.schema(record("a:string")))
    updated = client.updateConfig(subject, java.Config("FULL"))
    assert updated.getCompatibilityLevel() == "FULL"
    assert client.getConfig(subject).getCompatibilityLevel() == "FULL"
    client.deleteConfig(subject)
    assert code(client.getConfig, subject) == 40408
    assert code(client.updateCompatibility, subject, "SOME") == 42203


def test_a_setting_that_would_be_dropped_is_refused(
    java: ConfluentJava, client: Any, code: Code
) -> None:
    config = java.Config("FULL")
    config.setNormalize(True)

    assert code(client.updateConfig, unused_subject(), config) == 42205


def test_it_sets_modes(java: ConfluentJava, client: Any, code: Code) -> None:
    subject, schema = unused_subject(), java.schema(record("a:int"))

    assert client.getMode() == "READWRITE"
    assert code(client.getMode, subject) == 40409
    assert client.setMode("READONLY", subject) == "READONLY"
    assert client.getMode(subject) == "READONLY"
    assert code(client.register, subject, schema) == 42205
    client.deleteMode(subject)
    assert code(client.getMode, subject) == 40409
    assert code(client.setMode, "SOME", subject) == 42204


def test_it_imports_a_schema_with_version_and_id(
    java: ConfluentJava, client: Any, registry_url: str, code: Code
) -> None:
    subject, schema = unused_subject(), java.schema(record("a:int", name=f"Of{id(client)}"))
    foreign = id(schema) % 2**30 + 1
    assert code(client.register, subject, schema, 7, foreign) == 42205

    client.setMode("IMPORT", subject)

    assert client.register(subject, schema, 7, foreign) == foreign
    other = java.client(registry_url)
    assert other.getSchemaMetadata(subject, 7).getId() == foreign
    assert other.getSchemaById(foreign).canonicalString() == schema.canonicalString()


def test_it_deletes_softly_and_then_for_ever(java: ConfluentJava, client: Any, code: Code) -> None:
    subject = unused_subject()
    first, second = java.schema(record("a:int")), java.schema(record("a:int", "b:int=0"))
    client.register(subject, first)
    client.register(subject, second)

    assert code(client.deleteSubject, subject, True) == 40405
    assert code(client.deleteSchemaVersion, subject, "1", True) == 40407
    assert client.deleteSchemaVersion(subject, "1") == 1
    assert code(client.deleteSchemaVersion, subject, "1") == 40406
    assert list(client.getAllVersions(subject)) == [2]
    assert list(client.getAllVersions(subject, True)) == [1, 2]
    assert client.deleteSchemaVersion(subject, "1", True) == 1
    assert list(client.deleteSubject(subject)) == [2]
    assert code(client.deleteSubject, subject) == 40404
    assert subject not in set(client.getAllSubjects())
    assert subject in set(client.getAllSubjects(True))
    assert list(client.deleteSubject(subject, True)) == [2]
    assert code(client.deleteSubject, subject) == 40401


def test_it_takes_types_from_other_subjects(
    java: ConfluentJava, client: Any, registry_url: str, code: Code
) -> None:
    money, order = unused_subject(), unused_subject()
    text = record("cents:long", name="Money")
    client.register(money, java.schema(text))

    schema_id = client.register(
        order, java.schema(record("total:Money"), {"Money": (money, 1, text)})
    )

    # Then another client finds the types by itself
    other = java.client(registry_url)
    found = other.getSchemaById(schema_id)
    field = found.rawSchema().getField("total")
    assert str(field.schema().getField("cents").schema().getType()) == "LONG"
    (reference,) = other.getLatestSchemaMetadata(order).getReferences()
    assert (reference.getName(), reference.getSubject(), reference.getVersion()) == (
        "Money",
        money,
        1,
    )
    assert list(java.RestService(registry_url).getReferencedBy(money, 1)) == [schema_id]
    assert code(client.deleteSchemaVersion, money, "1") == 42206


def test_it_finds_a_schema_that_was_written_otherwise(
    java: ConfluentJava, client: Any, registry_url: str
) -> None:
    subject = unused_subject()
    written_out = {
        "namespace": "shop",
        "name": "Order",
        "type": "record",
        "fields": [{"type": {"type": "int"}, "name": "a", "order": "ascending"}],
    }
    registered = SchemaRegistryClient({"url": registry_url}).register_schema(
        subject, Schema(json.dumps(written_out), "AVRO")
    )
    own = java.schema(json.dumps(written_out))
    assert json.loads(own.canonicalString()) != written_out

    assert client.getId(subject, own, True) == registered
    assert client.register(subject, own, True) == registered
    assert list(client.getAllVersions(subject)) == [1]


def test_a_schema_in_the_form_of_javas_parser_is_the_same_schema(
    java: ConfluentJava, client: Any, registry_url: str
) -> None:
    # Given generated schemas, each written in one of the many ways to write it
    registry = SchemaRegistryClient({"url": registry_url})
    subject = unused_subject()
    registry.set_compatibility(subject, "NONE")
    written = [text for number in range(60) for text in pair(SEED, number)]
    # Java's writer drops the dot of an alias outside of every namespace, which makes another of it.
    written = [text for text in written if '".' not in text]
    compared = 0
    for text in written:
        try:
            registered = registry.register_schema(subject, Schema(text, "AVRO"))
        except SchemaRegistryError as refusal:
            if refusal.error_code != 42201:
                raise
            continue

        # When Java's client has read it, then it finds what it writes itself
        assert client.getId(subject, java.schema(text)) == registered, text
        compared += 1

    assert compared > 80
