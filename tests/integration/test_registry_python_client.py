"""The methods of confluent-kafka's SchemaRegistryClient, each against the embedded registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka.schema_registry import (
    ConfigCompatibilityLevel,
    Schema,
    SchemaReference,
    SchemaRegistryClient,
    ServerConfig,
)
from confluent_kafka.schema_registry.error import SchemaRegistryError

from tests.integration.registry_servers import record, unused_subject

ONE, TWO = record("a:int"), record("a:int", "b:int=0")


@pytest.fixture
def client(registry_url: str) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": registry_url}) as made:
        yield made


def code(method: Callable[..., Any], *values: Any, **more: Any) -> int:
    """Code of a call that the registry must refuse."""
    with pytest.raises(SchemaRegistryError) as refusal:
        method(*values, **more)
    return int(refusal.value.error_code)


def avro(text: str, *references: SchemaReference) -> Schema:
    return Schema(text, "AVRO", list(references))


def test_registering_answers_the_id_and_keeps_the_schema(client: SchemaRegistryClient) -> None:
    subject = unused_subject()

    answer = client.register_schema_full_response(subject, avro(ONE), normalize_schemas=True)

    client.clear_caches()
    found = client.get_version(subject, "latest")
    assert (answer.subject, answer.schema_id) == (subject, found.schema_id)
    assert client.get_version(subject, 1, fmt="").schema_id == found.schema_id
    assert client.get_schema(found.schema_id, subject_name=subject) == found.schema
    assert client.get_schema(found.schema_id) == found.schema


def test_the_latest_version_is_requested_again_when_the_client_forgets_it(
    client: SchemaRegistryClient, registry_url: str
) -> None:
    subject = unused_subject()
    client.register_schema(subject, avro(ONE))
    assert client.get_latest_version(subject).version == 1
    SchemaRegistryClient({"url": registry_url}).register_schema(subject, avro(TWO))
    assert client.get_latest_version(subject).version == 1

    client.clear_latest_caches()

    assert client.get_latest_version(subject).version == 2


def test_hidden_versions_are_returned_on_request(
    client: SchemaRegistryClient,
) -> None:
    # Given a subject whose first version is hidden
    subject = unused_subject()
    first = client.register_schema(subject, avro(ONE))
    client.register_schema(subject, avro(TWO))
    client.delete_version(subject, 1)
    client.clear_caches()

    # Then it is not there
    assert client.get_versions(subject) == [2]
    assert code(client.get_version, subject, 1) == 40402
    assert code(client.lookup_schema, subject, avro(ONE)) == 40403
    assert subject not in client.get_subjects_by_schema_id(first)
    assert client.get_schema_versions(first, subject) == []

    # And it is, for those who ask for hidden ones too
    assert client.get_versions(subject, deleted=True) == [1, 2]
    assert client.get_version(subject, 1, deleted=True).schema_id == first
    assert client.lookup_schema(subject, avro(ONE), deleted=True).version == 1
    assert client.get_subjects_by_schema_id(first, subject, deleted=True) == [subject]
    assert [v.version for v in client.get_schema_versions(first, subject, deleted=True)] == [1]


def test_a_hidden_subject_is_listed_on_request(client: SchemaRegistryClient) -> None:
    subject = unused_subject()
    client.register_schema(subject, avro(ONE))
    assert client.get_subjects(subject_prefix=subject) == [subject]

    client.delete_subject(subject)

    assert client.get_subjects(subject_prefix=subject) == []
    assert client.get_subjects(subject_prefix=subject, deleted=True) == [subject]


def test_lists_are_answered_in_pages(client: SchemaRegistryClient) -> None:
    # Given three subjects with the same two versions
    prefix = unused_subject()
    names = [f"{prefix}-{letter}" for letter in "abc"]
    texts = [record("a:int", name=f"Of{prefix[-32:]}"), record("b:int=0", name=f"Of{prefix[-32:]}")]
    for name in names:
        ids = [client.register_schema(name, avro(text)) for text in texts]

    assert client.get_subjects(subject_prefix=prefix, offset=1, limit=1) == names[1:2]
    assert client.get_subjects(subject_prefix=prefix, offset=1) == names[1:]
    assert client.get_subjects(subject_prefix=prefix, limit=2) == names[:2]
    assert client.get_versions(names[0], offset=1) == [2]
    assert client.get_versions(names[0], limit=1) == [1]
    assert client.get_subjects_by_schema_id(ids[0], offset=2, limit=5) == names[2:]
    page = client.get_schema_versions(ids[1], offset=1, limit=1)
    assert [(one.subject, one.version) for one in page] == [(names[1], 2)]
    assert client.get_contexts(limit=1) == ["."]
    assert client.get_contexts(limit=0) == []


def test_those_who_refer_to_a_version_are_answered_in_pages(client: SchemaRegistryClient) -> None:
    money, first, second = unused_subject(), unused_subject(), unused_subject()
    client.register_schema(money, avro(record("cents:long", name="Money")))
    reference = SchemaReference("Money", money, 1)
    ids = sorted(
        client.register_schema(subject, avro(record("total:Money", name=name), reference))
        for subject, name in ((first, "First"), (second, "Second"))
    )

    assert client.get_referenced_by(money, 1) == ids
    assert client.get_referenced_by(money) == ids
    assert client.get_referenced_by(money, 1, offset=1, limit=1) == ids[1:]
    assert code(client.delete_version, money, 1) == 42206
    assert code(client.delete_subject, money) == 42206


def test_a_schema_is_checked_against_one_version_the_latest_or_all(
    client: SchemaRegistryClient,
) -> None:
    # Given two versions that do not go together
    subject = unused_subject()
    client.set_compatibility(subject, "NONE")
    client.register_schema(subject, avro(record("a:int")))
    client.register_schema(subject, avro(record("a:string")))
    client.set_compatibility(subject, "BACKWARD")
    like_first, like_second = avro(record("a:long")), avro(record('a:string="x"'))

    assert client.test_compatibility(subject, like_first, 1)
    assert not client.test_compatibility(subject, like_first, "latest", verbose=True)
    assert client.test_compatibility(subject, like_second, normalize=True)
    assert client.test_compatibility_all_versions(subject, like_second)
    client.set_compatibility(subject, "BACKWARD_TRANSITIVE")
    assert not client.test_compatibility_all_versions(subject, like_second, verbose=True)
    assert code(client.test_compatibility, subject, like_first, 9) == 40402
    assert code(client.test_compatibility, subject, avro("{")) == 42201
    assert client.test_compatibility_all_versions(unused_subject(), like_first, normalize=True)


def test_a_subject_has_a_configuration_of_its_own(client: SchemaRegistryClient) -> None:
    subject = unused_subject()
    client.register_schema(subject, avro(ONE))
    assert code(client.get_config, subject) == 40408
    wanted = ServerConfig(compatibility=ConfigCompatibilityLevel.FULL)

    assert client.set_config(subject, wanted) == {"compatibility": "FULL"}

    own = ServerConfig(compatibility_level=ConfigCompatibilityLevel.FULL)
    assert client.get_config(subject) == own
    assert client.get_compatibility(subject) == "FULL"
    assert client.delete_config(subject) == own
    assert code(client.get_config, subject) == 40408
    assert code(client.delete_config, subject) == 40401


@pytest.mark.parametrize(
    "config",
    [
        ServerConfig(compatibility=ConfigCompatibilityLevel.FULL, compatibility_group="major"),
        # What get_config answers has the level under another name than set_config sends it.
        ServerConfig(compatibility_level=ConfigCompatibilityLevel.FULL),
    ],
)
def test_a_configuration_that_would_be_dropped_is_refused(
    client: SchemaRegistryClient, config: ServerConfig
) -> None:
    subject = unused_subject()

    assert code(client.set_config, subject, config) in (42205, 422)

    assert code(client.get_config, subject) == 40408


def test_the_registry_has_a_configuration_and_a_mode_for_all(client: SchemaRegistryClient) -> None:
    subject, text = unused_subject(), record("a:int")
    assert client.get_config() == ServerConfig(
        compatibility_level=ConfigCompatibilityLevel.BACKWARD
    )
    try:
        client.set_config(config=ServerConfig(compatibility=ConfigCompatibilityLevel.NONE))
        assert client.get_compatibility() == "NONE"
        client.register_schema(subject, avro(text))
        client.register_schema(subject, avro(record("a:string")))
        assert client.set_compatibility(level="full") == {"compatibility": "FULL"}
        assert client.get_compatibility() == "FULL"
        assert client.update_global_mode("READONLY") == "READONLY"
        assert client.get_global_mode() == "READONLY"
        assert code(client.register_schema, subject, avro(record("a:long"))) == 42205
    finally:
        client.update_global_mode("READWRITE")
        client.delete_config()

    assert client.get_global_mode() == "READWRITE"
    assert client.get_compatibility() == "BACKWARD"


def test_import_mode_is_forced_on_a_subject_that_has_schemas(client: SchemaRegistryClient) -> None:
    subject = unused_subject()
    client.register_schema(subject, avro(ONE))
    assert code(client.update_mode, subject, "IMPORT") == 42205

    assert client.update_mode(subject, "IMPORT", force=True) == "IMPORT"

    assert client.get_mode(subject) == "IMPORT"
    assert client.delete_mode(subject) == "IMPORT"
    assert code(client.get_mode, subject) == 40409
    assert code(client.delete_mode, subject) == 40401
    assert code(client.update_mode, subject, "SOME") == 42204


def test_a_client_of_a_context_has_subjects_of_its_own(registry_url: str) -> None:
    # Given a client whose address names a context
    name = unused_subject().partition("-")[2]
    inside = SchemaRegistryClient({"url": f"{registry_url}/contexts/.{name}"})
    schema_id = inside.register_schema("orders", avro(ONE))

    assert inside.get_subjects() == [f":.{name}:orders"]
    assert inside.get_latest_version("orders").subject == f":.{name}:orders"
    outside = SchemaRegistryClient({"url": registry_url})
    assert f".{name}" in outside.get_contexts()
    assert outside.get_version(f":.{name}:orders", 1).schema_id == schema_id
    assert inside.get_schema_types() == ["AVRO"]


def test_no_version_has_metadata(client: SchemaRegistryClient) -> None:
    subject = unused_subject()
    assert code(client.get_latest_with_metadata, subject, {"major": "1"}) == 40401
    client.register_schema(subject, avro(ONE))
    assert code(client.get_latest_with_metadata, subject, {"major": "1"}) == 40403
    assert code(client.get_latest_with_metadata, subject, {}) == 40403

    client.delete_subject(subject)

    assert code(client.get_latest_with_metadata, subject, {}) == 40401
    assert code(client.get_latest_with_metadata, subject, {}, deleted=True) == 40403


def test_there_are_neither_guids_nor_associations(client: SchemaRegistryClient) -> None:
    assert code(client.get_schema_by_guid, "6d3f4a0e-0000-0000-0000-000000000000") == 404
    assert client.get_associations_by_resource_name("orders", "-", "topic") == []
