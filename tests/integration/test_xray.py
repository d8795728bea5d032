"""The X-ray of an event: its row, its place in Kafka, and where it stands in every group."""

from __future__ import annotations

import json
from typing import Any

from relay.consume import Fatal, Group
from relay.consume.dead_letters.reconciler import reconcile
from relay.consume.dead_letters.replay import replay
from relay.consume.dead_letters.store import Filter, find
from relay.consume.worker import consume
from relay.kafka.offsets import committed_at
from relay.operate.xray import look
from relay.postgres.connect import connect
from relay.schema.catalog import Catalog
from relay.schema.client.client import RegistryClient
from relay.settings import Settings
from tests.event_classes import event_class_of
from tests.relaying import SCHEMA_FIELDS, Relay


def settings_of(relay: Relay) -> Settings:
    return relay.settings().model_copy(update={"backoff_initial_ms": 50})


def show(relay: Relay, event_id: str) -> dict[str, Any]:
    """The X-ray, without the cost of a process."""
    settings = relay.settings()
    with connect(settings.database_url) as connection:
        found = look(
            connection,
            Catalog.load(settings.schemas_dir),
            event_id,
            lambda groups, place: committed_at(settings, groups, place),
        )
    assert found is not None
    return found.to_json()


def readers(relay: Relay, failing: set[int]) -> Group:
    """A group whose handler fails for good for some numbers."""
    avsc = {
        "type": "record",
        "name": "Counted",
        "namespace": f"relay.events.{relay.domain}",
        "fields": SCHEMA_FIELDS,
    }
    group = Group("readers")

    @group.handles(event_class_of(avsc))
    def handle(event: Any, context: Any) -> None:
        if event.number in failing:
            raise Fatal(f"{event.number} does not work")

    return group


def run(relay: Relay, group: Group) -> None:
    settings = settings_of(relay)
    with RegistryClient(settings.schema_registry_url) as registry:
        consume(settings, group, registry, until_idle=True)


def test_an_event_is_waiting_then_processed_and_its_whole_row_is_shown(relay: Relay) -> None:
    # Given an event that is not published yet
    event_id = relay.publish("a", 1, note="hello")
    found = show(relay, event_id)
    assert found["event"]["eventType"] == "counted"
    assert found["event"]["aggregateType"] == "counter"
    assert found["event"]["aggregateId"] == "a"
    assert found["event"]["payload"] == {"number": 1, "note": "hello"}
    assert found["event"]["metadata"] == {"correlationId": event_id}
    assert found["event"]["occurredAt"].endswith("Z")
    assert found["delivery"] == {
        "topic": None, "partition": None, "offset": None, "delivered_at": None,
        "attempts": 0, "dead_letter": False, "error": None,
    }  # fmt: skip
    (group,) = found["groups"]
    assert group == {"group": "readers", "state": "waiting", "attempts": 0, "error": None,
                     "dlq": None}  # fmt: skip

    # When it is published, then its place is shown
    relay.must("run", "--until-idle")
    found = show(relay, event_id)
    (record,) = relay.published()
    assert (found["delivery"]["topic"], found["delivery"]["offset"]) == (relay.topic, record.offset)
    assert found["delivery"]["attempts"] == 1
    assert found["groups"][0]["state"] == "waiting"

    # When its group has acted, then the inbox has it
    run(relay, readers(relay, set()))
    assert show(relay, event_id)["groups"][0]["state"] == "processed"
    # and if only the committed offset is known, it is passed, not processed
    relay.sql("delete from inbox.processed")
    assert show(relay, event_id)["groups"][0]["state"] == "passed"


def test_a_dead_event_is_shown_dead_with_its_dead_letter_then_resolved(relay: Relay) -> None:
    # Given an event that its group can't act on
    event_id = relay.publish("a", 1)
    relay.must("run", "--until-idle")
    failing = {1}
    group = readers(relay, failing)
    run(relay, group)
    reconcile(settings_of(relay), until_idle=True)

    # When it is looked at, then it is dead, and its dead letter has a place
    found = show(relay, event_id)
    (view,) = found["groups"]
    assert (view["state"], view["attempts"]) == ("dead", 1)
    assert "1 does not work" in view["error"]
    assert view["dlq"]["topic"] == f"{relay.topic}.readers.dlq"
    assert view["dlq"]["offset"] >= 0
    assert found["delivery"]["dead_letter"] is True

    # When it is replayed after a repair, then it is resolved
    failing.clear()
    settings = settings_of(relay)
    with connect(settings.database_url) as connection:
        replay(settings, connection, find(connection, Filter()))
    run(relay, group)
    reconcile(settings, until_idle=True)
    found = show(relay, event_id)
    assert (found["groups"][0]["state"], found["groups"][0]["attempts"]) == ("resolved", 2)
    assert found["delivery"]["dead_letter"] is False
    # and scripts and people can read all of it
    assert json.loads(relay.must("event", "show", event_id, "--json")) == found
    readable = relay.must("event", "show", event_id)
    assert event_id in readable
    assert "resolved" in readable


def test_a_parked_event_is_parked_although_the_groups_offset_is_beyond_it(relay: Relay) -> None:
    # Given an event whose attempts failed for now
    event_id = relay.publish("a", 1)
    relay.must("run", "--until-idle")
    run(relay, readers(relay, set()))
    relay.sql("delete from inbox.processed")
    relay.sql(
        "with queues as (insert into inbox.parked_queues values (1, 'readers', now())) "
        "insert into inbox.parked (group_name, event_id, queue, sequence, topic, partition, "
        "kafka_offset, key, header_names, header_values, attempts, error) "
        "values ('readers', %s, 1, 0, %s, 0, 0, 'a', '{}', '{}', 3, 'not now')",
        (event_id, relay.topic),
    )

    # When it is looked at, then it is parked
    (view,) = show(relay, event_id)["groups"]
    assert (view["state"], view["attempts"], view["error"]) == ("parked", 3, "not now")


def test_an_unknown_id_ends_with_1_in_one_line(relay: Relay) -> None:
    done = relay.command("event", "show", "nothing")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "nothing" in line


def test_an_event_that_could_not_be_published_shows_why(relay: Relay) -> None:
    event_id = relay.insert("a", 1, "unheard_of")
    relay.must("run", "--until-idle", EVENT_BUS_MAX_ATTEMPTS="1")
    found = show(relay, event_id)
    assert found["delivery"]["dead_letter"] is True
    assert "unheard_of" in found["delivery"]["error"]
    assert found["delivery"]["topic"] is None
