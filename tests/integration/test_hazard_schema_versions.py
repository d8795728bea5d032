"""Hazard: version numbers of publisher and registry that mean different schemas."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import fastavro

from relay.schema.avro.encoder import compile_encoder
from relay.schema.avro.fingerprint import rabin
from relay.schema.client.client import RegistryClient
from tests.relaying import Record, Relay
from tests.stack import until

FROM_TO = [{"name": "from", "type": "string"}, {"name": "to", "type": "string"}]


def test_a_version_that_differs_by_two_swapped_fields_is_framed_by_its_text_not_its_number(
    relay: Relay,
) -> None:
    # Given a publisher whose version 1 has from before to
    relay.add_event_type("moved", FROM_TO)
    catalog = relay.folder / "schemas" / relay.domain / "moved.v1.avsc"
    publishers = json.loads(catalog.read_text())
    # and a registry whose version 1 has to before from
    swapped = {**publishers, "fields": FROM_TO[::-1]}
    subject = f"{relay.topic}-{publishers['namespace']}.Moved"
    with RegistryClient(relay.environment["EVENT_BUS_SCHEMA_REGISTRY_URL"]) as registry:
        wrong_id = registry.register(subject, json.dumps(swapped))
        # When the publisher writes a row with bytes
        write(relay, publishers)
        with relay.running():
            # Then it waits while its schema is not registered, and no attempt counts
            until(lambda: relay.sql("select count(*) from outbox.holds") == [(1,)])
            assert relay.status()[0]["delivery_attempts"] == 0
            assert relay.published() == []
            # and goes out under the id of its text once it is
            right_id = registry.register(subject, catalog.read_text())
            relay.wait_until_delivered(1)
        (record,) = relay.published()
        schema_id = int.from_bytes(record.value[1:5], "big")
        assert schema_id == right_id != wrong_id
        # so that from and to come back as they were
        schema = fastavro.parse_schema(registry.schema(schema_id))
    assert decoded(record, schema) == {"from": "A", "to": "B"}


def test_a_relay_whose_own_version_1_is_another_schema_frames_by_the_publishers_text(
    relay: Relay,
) -> None:
    # Given a relay and a registry whose version 1 has to before from, and no review yet
    relay.add_event_type("moved", FROM_TO[::-1])
    relay.sql("delete from outbox.schema_versions")
    catalog = relay.folder / "schemas" / relay.domain / "moved.v1.avsc"
    own = json.loads(catalog.read_text())
    publishers = {**own, "fields": FROM_TO}
    subject = f"{relay.topic}-{own['namespace']}.Moved"
    with RegistryClient(relay.environment["EVENT_BUS_SCHEMA_REGISTRY_URL"]) as registry:
        own_id = registry.register(subject, json.dumps(own))
        publishers_id = registry.register(subject, json.dumps(publishers))
        # When a publisher whose version 1 has from before to writes a row with bytes
        write(relay, publishers)
        relay.must("run", "--until-idle")
        # Then it is framed by what it was encoded with
        (record,) = relay.published()
        assert int.from_bytes(record.value[1:5], "big") == publishers_id != own_id
        schema = fastavro.parse_schema(registry.schema(publishers_id))
    assert decoded(record, schema) == {"from": "A", "to": "B"}


def write(relay: Relay, schema: dict[str, Any]) -> None:
    """Writes the row of a publisher whose version 1 is `schema`."""
    relay.sql(
        """insert into outbox.domain_events (event_type, schema_version, aggregate_type,
               aggregate_id, payload, fingerprint, avro)
           values ('moved', 1, 'counter', 'a', '{"from": "A", "to": "B"}', %s, %s)""",
        (rabin(schema), compile_encoder(schema)({"from": "A", "to": "B"})),
    )


def decoded(record: Record, schema: Any) -> Any:
    return fastavro.schemaless_reader(BytesIO(record.value[5:]), schema, None)
