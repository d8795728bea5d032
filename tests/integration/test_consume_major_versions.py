"""A group acts on every event once, whichever major versions it and the publishers know."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from relay.consume import Fatal, Group
from relay.consume.dead_letters.reconciler import reconcile
from relay.consume.dead_letters.replay import replay
from relay.consume.dead_letters.store import Filter, find
from relay.consume.worker import consume
from relay.events import DomainEvent
from relay.postgres.connect import connect
from relay.schema.catalog import Catalog, State
from relay.schema.client.client import RegistryClient
from tests.event_classes import event_class_of
from tests.integration.majors import CONVERTER, activate_major, activate_version
from tests.relaying import Record, Relay

Seen = tuple[str, str, dict[str, Any]]


def event_class(relay: Relay, event_type: str) -> type[DomainEvent]:
    """What would be generated for an event type."""
    version = Catalog.load(relay.folder / "schemas").version(event_type, 1)
    found: type[DomainEvent] = event_class_of(version.avsc, event_type)
    return found


class Readers:
    """The group `readers` with handlers for some event types.

    seen: event id, event type of the handler, and payload, of all that was acted on.
    """

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.seen: list[Seen] = []
        self.fails = False

    def read(self, *event_types: str) -> list[Seen]:
        """Reads to the topic's end with handlers for these types; what was acted on by that."""
        group = Group("readers")
        for event_type in event_types:
            group.handles(event_class(self.relay, event_type))(self._act)
        before = len(self.seen)
        settings = self.relay.settings()
        with RegistryClient(settings.schema_registry_url) as registry:
            consume(settings, group, registry, until_idle=True)
        return self.seen[before:]

    def _act(self, event: Any, context: Any) -> None:
        if self.fails:
            raise Fatal("not today")
        self.seen.append((context.event_id, event.EVENT_TYPE, event.to_json()))


@pytest.fixture
def readers(relay: Relay) -> Readers:
    return Readers(relay)


def publish_second(relay: Relay, count: int, label: str = "") -> str:
    rows = relay.sql(
        "select outbox.publish('counted.v2', 'counter', 'a', jsonb_build_object("
        "'count', %s::integer, 'label', %s::text))",
        (count, label),
    )
    return str(rows[0][0])


def first(event_id: str, number: int, note: str = "") -> Seen:
    return event_id, "counted", {"number": number, "note": note}


def second(event_id: str, count: int, label: str = "") -> Seen:
    return event_id, "counted.v2", {"count": count, "label": label}


def test_a_group_that_has_moved_gets_what_was_published_before_and_each_later_event_once(
    readers: Readers, relay: Relay
) -> None:
    # Given an event that was published before there was a second version, and two after
    before = relay.publish("a", 1, note="x")
    relay.must("run", "--until-idle")
    activate_major(relay)
    copied, own = relay.publish("a", 2), publish_second(relay, 3)
    relay.must("run", "--until-idle")
    assert len(relay.published()) == 5

    assert readers.read("counted.v2") == [second(before, 1, "x"), second(copied, 2), second(own, 3)]


def test_a_group_that_has_not_moved_gets_each_event_once_even_when_its_version_has_retired(
    readers: Readers, relay: Relay
) -> None:
    activate_major(relay)
    own, copied = relay.publish("a", 1), publish_second(relay, 2)
    relay.must("run", "--until-idle")
    relay.must("schemas", "deprecate", "counted", "1")
    relay.must("schemas", "retire", "counted", "1", "--force", "--reason", "they will move soon")
    alone = publish_second(relay, 3, "z")
    relay.must("run", "--until-idle")
    assert len(relay.published()) == 5

    assert readers.read("counted") == [first(own, 1), first(copied, 2), first(alone, 3, "z")]


def test_a_group_with_handlers_for_both_gets_each_event_as_it_was_written(
    readers: Readers, relay: Relay
) -> None:
    activate_major(relay)
    one, two = relay.publish("a", 1), publish_second(relay, 2)
    relay.must("run", "--until-idle")

    assert readers.read("counted", "counted.v2") == [first(one, 1), second(two, 2)]


def test_an_event_that_was_acted_on_under_one_version_is_not_acted_on_again_under_the_other(
    readers: Readers, relay: Relay
) -> None:
    # Given a member that acted on events and could not commit its offsets
    activate_major(relay)
    events = [relay.publish("a", 1), publish_second(relay, 2)]
    relay.must("run", "--until-idle")
    assert [seen[0] for seen in readers.read("counted")] == events
    rewind(relay)
    later = relay.publish("a", 3)
    relay.must("run", "--until-idle")
    # When one that has moved reads the same records
    assert readers.read("counted.v2") == [second(later, 3)]
    # or, on the way back, one that has not
    rewind(relay)
    assert readers.read("counted") == []


@pytest.mark.parametrize(
    ("former", "moved"), [("counted", "counted.v2"), ("counted.v2", "counted")]
)
def test_a_group_that_moves_misses_no_event_whose_copy_its_former_member_had_passed_over(
    readers: Readers, relay: Relay, former: str, moved: str
) -> None:
    # Given an event that was acted on, and one of which only the copy was read, and passed over
    activate_major(relay)
    done = publish_as(relay, former, 1)
    relay.must("run", "--until-idle")
    assert [seen[0] for seen in readers.read(former)] == [done]
    left = publish_as(relay, former, 2)
    relay.must("run", "--until-idle")
    copy, original = relay.published()[-2:]
    assert (copy.headers["ce_originalid"], original.event_id) == (left, left)
    go_to(relay, original)
    # When a member that has moved goes on from there
    assert [seen[:2] for seen in readers.read(moved)] == [(left, moved)]
    # Then that was once and for all, also from a copy on and from the original behind it
    for record in relay.published()[:2]:
        go_to(relay, record)
        assert readers.read(moved) == []


def test_what_the_current_version_can_t_read_is_converted_as_it_was_written(
    readers: Readers, relay: Relay
) -> None:
    # Given an event that was published and one that waits, both under version 1
    published = relay.publish("a", 1)
    relay.must("run", "--until-idle")
    waiting = relay.publish("a", 2)
    # and a version 2 that can't read them, as FORWARD compatibility allows, and a major version
    activate_version(relay, {"name": "unit", "type": "string"})
    activate_major(
        relay, converter=CONVERTER.replace('payload["note"]}', 'payload.get("unit", "?")}')
    )
    current = relay.publish("a", 3, unit="kg")
    relay.must("run", "--until-idle")
    # Then the waiting one has its copy, and a group that reads the new one gets all of them
    assert len(relay.published()) == 5
    assert readers.read("counted.v2") == [
        second(published, 1, "?"),
        second(waiting, 2, "?"),
        second(current, 3, "kg"),
    ]


def test_a_dead_letter_of_the_old_version_is_replayed_to_the_handler_of_the_new_one(
    readers: Readers, relay: Relay
) -> None:
    # Given events that failed before the group has moved; one was published beside its copy
    alone = relay.publish("a", 1)
    relay.must("run", "--until-idle")
    activate_major(relay)
    copied, down = relay.publish("a", 2), publish_second(relay, 3)
    relay.must("run", "--until-idle")
    readers.fails = True
    assert readers.read("counted") == []
    # and whose outcome came back to their rows
    settings = relay.settings()
    reconcile(settings, until_idle=True)
    assert [row["dead_letter"] for row in relay.status()] == [True, True, True]

    # When they are replayed after it has moved
    readers.fails = False
    with connect(settings.database_url) as connection:
        assert len(replay(settings, connection, find(connection, Filter()))) == 3
    assert readers.read("counted.v2") == [second(alone, 1), second(copied, 2), second(down, 3)]
    reconcile(settings, until_idle=True)
    assert [row["dead_letter"] for row in relay.status()] == [False, False, False]


def test_what_is_recorded_is_the_version_that_was_read(readers: Readers, relay: Relay) -> None:
    relay.publish("a", 1)
    relay.must("run", "--until-idle")
    activate_major(relay)
    publish_second(relay, 2)
    relay.must("run", "--until-idle")
    readers.read("counted.v2")
    assert relay.sql("select event_type, subject from inbox.decoded order by 1") == [
        ("counted", f"{relay.topic}-relay.events.{relay.domain}.Counted"),
        ("counted.v2", f"{relay.topic}-relay.events.{relay.domain}.CountedV2"),
    ]


def test_an_event_that_can_t_be_converted_is_dead_with_the_converters_reason(
    readers: Readers, relay: Relay
) -> None:
    # Given an event that was published before the second version, which nobody could convert
    relay.publish("a", 1, note="unconvertible")
    relay.must("run", "--until-idle")
    activate_major(relay)
    assert "nobody knows" in CONVERTER

    assert readers.read("counted.v2") == []

    ((error,),) = relay.sql("select error from inbox.dead_letters")
    assert "counted_v2.py, up: counted can't be converted" in error
    assert "nobody knows what that is now" in error


def test_a_second_version_that_is_not_approved_yet_can_be_handled_already(
    readers: Readers, relay: Relay
) -> None:
    activate_major(relay, State.PROPOSED)
    event_id = relay.publish("a", 1)
    relay.must("run", "--until-idle")
    assert readers.read("counted.v2") == [second(event_id, 1)]


def publish_as(relay: Relay, event_type: str, number: int) -> str:
    if event_type == "counted":
        return relay.publish("a", number)
    return publish_second(relay, number)


def rewind(relay: Relay) -> None:
    """Sets the group's offsets back to the topic's beginning."""
    set_offsets(relay, [TopicPartition(relay.topic, partition, 0) for partition in range(4)])


def go_to(relay: Relay, record: Record) -> None:
    """Sets the group's offset so that a record is the next one that it reads."""
    set_offsets(relay, [TopicPartition(relay.topic, record.partition, record.offset)])


def set_offsets(relay: Relay, places: list[TopicPartition]) -> None:
    admin = AdminClient(
        {"bootstrap.servers": relay.environment["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"]}
    )
    wanted = ConsumerGroupTopicPartitions("readers", places)
    for changed in admin.alter_consumer_group_offsets([wanted]).values():
        changed.result(10)
