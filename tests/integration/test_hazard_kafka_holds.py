"""Hazards of held events: what the database says of them is late, or lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

from tests.integration.majors import activate_major, copy_id
from tests.relaying import SCHEMA_FIELDS, Relay, kill
from tests.stack import until


def holds(relay: Relay) -> int:
    return int(relay.sql("select count(*) from outbox.holds")[0][0])


def learn(relay: Relay, event_type: str) -> None:
    """Adds an event type that rows of the outbox have already, and registers it."""
    relay.add_event_type(event_type, SCHEMA_FIELDS)
    relay.set_up()


def test_a_hold_that_is_over_is_not_taken_up_again_before_its_end_is_written(
    make_relay: Callable[..., Relay],
) -> None:
    # Given two dead events, of which one is set free and published, and its flag can't be written
    relay = make_relay(shards="1", max_attempts="3", backoff_initial_ms="500", backoff_max_ms="500")
    freed = relay.insert("a", 1, "counted.later")
    relay.insert("b", 1, "counted.never")
    with relay.running():
        until(lambda: relay.sql("select count(*) from outbox.holds where state = 'dead'") == [(2,)])
        learn(relay, "counted.later")
        with relay.locked("outbox.deliveries"):
            relay.sql(
                "update outbox.holds set state = 'failing', attempts = 0, next_attempt_at = now() "
                "where event_id = %s",
                (freed,),
            )
            until(lambda: len(relay.published()) == 1)
            # When the worker's look at the holds is due, every second
            with suppress(AssertionError):
                until(lambda: len(relay.published("read_uncommitted")) > 1, timeout=3.5)
        relay.publish("c", 1)
        relay.wait_until_delivered(2)
    # Then it is published once
    assert [record.event_id for record in relay.published()].count(freed) == 1
    assert holds(relay) == 1


def test_a_released_row_is_published_once_although_flag_and_position_are_lost(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a held row that is mended and published under two versions, and whose flags are not
    # written
    relay = make_relay(shards="1", backoff_initial_ms="100", max_attempts="1000")
    activate_major(relay)
    event = relay.publish("a", 1, note="unconvertible")
    behind = relay.publish("a", 2)
    worker = relay.start("run")
    until(lambda: holds(relay) == 2)
    with relay.locked("outbox.deliveries"):
        converter = relay.folder / "schemas" / relay.domain / "counted_v2.py"
        converter.write_text(converter.read_text().replace('"unconvertible"', '"no such note"'))
        until(lambda: len(relay.published()) == 4)
        kill(worker)
    # When the database has no position either, as one that was restored
    relay.sql("delete from outbox.positions")
    relay.must("run", "--until-idle")
    # Then all is there once, flagged, and no longer held
    assert [record.event_id for record in relay.published()] == [
        copy_id(relay, event), event, copy_id(relay, behind), behind,
    ]  # fmt: skip
    assert holds(relay) == 0
    assert json.loads(relay.must("verify", "--json"))["wrong_flags"] == 0


def test_a_flag_that_is_redone_keeps_the_attempts_of_an_event_that_was_dead(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a dead event that a later one has passed, set free and published
    relay = make_relay(shards="1", on_dead="skip", max_attempts="1")
    first = relay.insert("a", 1, "measured")
    # as written by outbox.publish, which promises the order
    relay.sql("""update outbox.domain_events set metadata = '{"correlationId": "x"}'""")
    second = relay.publish("a", 2)
    worker = relay.start("run")
    relay.wait_until_delivered(1)
    relay.add_event_type("measured", SCHEMA_FIELDS)
    relay.must("schemas", "register")
    with relay.locked("outbox.deliveries"):
        relay.must("dlq", "replay", first)
        until(lambda: len(relay.published()) == 2)
        # When the worker is killed before it has written the flag, and another goes on
        kill(worker)
    relay.must("run", "--until-idle")
    # Then it is known why the event lies behind the later one
    assert [record.event_id for record in relay.published()] == [second, first]
    assert relay.status()[0]["delivery_attempts"] == 2
    assert json.loads(relay.must("verify", "--json"))["out_of_order"] == 0
