"""What operators read: an outage in two lines per process, and every dead event."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import pytest

from relay.local.kafka import LocalKafka
from relay.local.postgres import LocalPostgres
from tests.integration.consuming import Counted, World
from tests.relaying import Relay
from tests.stack import until


@pytest.mark.parametrize("away", ["PostgreSQL", "Kafka"])
def test_an_outage_is_two_lines_in_every_process(
    relay_of_server: Relay, server: LocalPostgres | LocalKafka, away: str
) -> None:
    # Given a worker, a group and the reconciler at work
    relay = relay_of_server
    relay.start("run")
    relay.start(
        "consume",
        EVENT_BUS_CONSUMERS="tests.integration.idle_group",
        EVENT_BUS_LOG_LEVEL="INFO",
    )
    relay.start("reconcile", EVENT_BUS_LOG_LEVEL="INFO")
    relay.publish("a", 1)
    relay.wait_until_delivered(1)
    until(lambda: "assigned events." in relay.log() and "reads events." in relay.log())
    before = len(relay.log().splitlines())
    # When a server is away for some seconds while there is something to do
    relay.wait_until_decided()
    server.kill()
    if away == "Kafka":
        relay.publish("a", 2)
    # (the reconciler needs the database only when there is an outcome)
    names = [f" {relay.name}-", " group readers "] + [" reconciler "] * (away == "Kafka")
    for name in names:
        until(lambda name=name: lines(relay, name, f"{away} is unavailable"), timeout=40)
    time.sleep(5)  # the time that the outage lasts
    server.start()
    for name in names:
        until(lambda name=name: lines(relay, name, f"{away} is available again"), timeout=60)
    relay.publish("a", 3)
    relay.wait_until_delivered(2, timeout=60)
    # Then each process logs its begin and its end
    text = relay.log()
    for name in (f" {relay.name}-", " group readers ", " reconciler "):
        assert lines(relay, name, f"{away} is unavailable") == (name in names), text
        assert lines(relay, name, f"{away} is available again") == (name in names), text
    # and little else, none of it past the log
    assert "%3|" not in text
    assert "%6|" not in text
    since = text.splitlines()[before:]
    assert len(since) < 40, text
    assert all(any(name in line for name in names) for line in since), text


def test_an_event_that_the_relay_gives_up_is_a_warning_with_its_reason(
    make_relay: Callable[..., Relay],
) -> None:
    relay = make_relay(max_attempts="2", backoff_initial_ms="50")
    lost = relay.sql(
        "insert into outbox.domain_events (event_type, aggregate_type, aggregate_id, payload) "
        """values ('counted', 'counter', 'a', '{"number": "x"}') returning id"""
    )[0][0]
    done = relay.command("run", "--until-idle")
    (line,) = [line for line in done.stderr.splitlines() if "is dead" in line]
    assert " WARNING " in line
    assert f"event {lost} of counter a is dead after 2 attempts" in line
    assert "$.number" in line


@pytest.mark.parametrize("attempts", [1, 5], ids=["in the lane", "parked"])
def test_an_event_that_a_group_gives_up_is_a_warning(
    world: World, caplog: pytest.LogCaptureFixture, attempts: int
) -> None:
    caplog.set_level(logging.WARNING)
    group = world.new_group()

    @group.handles(Counted)
    def refuse(event: Counted, context: object) -> None:
        raise ValueError(f"{event.number} does not work")

    (lost,) = world.send([("a", 7)])
    world.until_idle(group, max_attempts=attempts)
    (line,) = [message for message in caplog.messages if "dead" in message]
    assert lost in line
    assert "7 does not work" in line


def lines(relay: Relay, name: str, words: str) -> int:
    """How many lines of a process have `words` in them."""
    return sum(name in line and words in line for line in relay.log().splitlines())
