"""Consumer groups leave on record which schemas they decoded, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from relay.schema.approvals.affected import decoded, schema_digest
from relay.schema.avro.fingerprint import rabin
from tests.integration.consuming import SCHEMA_ID, Counted, World, act
from tests.stack import until


def test_a_group_that_ends_has_recorded_what_it_decoded(world: World) -> None:
    world.send([("a", number) for number in range(200)])
    group = world.new_group()
    group.handles(Counted)(act)
    began = datetime.now(UTC) - timedelta(seconds=1)

    world.until_idle(group)

    with world.connect() as connection:
        (found,) = decoded(connection, "counted")
    assert (found.group_name, found.schema_id) == (world.group, SCHEMA_ID)
    assert found.fingerprint == rabin(Counted.SCHEMA)
    assert found.digest == schema_digest(Counted.SCHEMA)
    assert began < found.last_decoded_at < datetime.now(UTC) + timedelta(seconds=1)
    subject = world.rows("select subject from inbox.decoded")
    assert subject == [(f"{world.topic}-relay.events.counting.Counted",)]


def test_a_running_group_records_within_seconds_and_moves_the_time_on(world: World) -> None:
    group = world.new_group()
    group.handles(Counted)(act)
    with world.running(group):
        world.send([("a", 1)])
        ((first,),) = until(lambda: world.rows("select last_decoded_at from inbox.decoded"))
        world.send([("a", 2)])
        until(
            lambda: world.rows("select 1 from inbox.decoded where last_decoded_at > %s", first),
            what="a later time of the last decode",
        )


def test_a_handler_that_fails_has_decoded_and_bytes_that_are_no_event_have_not(
    world: World,
) -> None:
    def fail(event: Counted, context: object) -> None:
        raise ValueError("always")

    group = world.new_group()
    group.handles(Counted)(fail)
    world.send([("a", 1)], values=[b"\x00\x00\x00\x00"])
    world.until_idle(group, max_attempts=1)
    assert world.rows("select 1 from inbox.decoded") == []

    world.send([("b", 1)])
    world.until_idle(group, max_attempts=1)
    assert len(world.rows("select 1 from inbox.decoded")) == 1


def test_events_are_handled_though_nothing_can_be_recorded(world: World) -> None:
    with world.connect() as connection:
        connection.execute("drop table inbox.decoded")
    world.send([("a", 1), ("a", 2)])
    group = world.new_group()
    group.handles(Counted)(act)

    world.until_idle(group)

    assert world.numbers("a") == [1, 2]
