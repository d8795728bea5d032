"""`relay parked` as an operator uses it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from relay.consume.dead_letters.replay import replay
from relay.consume.dead_letters.store import Filter, find
from tests.commands import run_relay
from tests.integration.consuming import Counted, World, act
from tests.stack import until

PARKED = "select count(*) from inbox.parked"
LONG = {"backoff_initial_ms": 600_000, "backoff_max_ms": 600_000, "max_attempts": 1000}


class Parked:
    """A world with parked events: of key a the first of three, of key b the first of two."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.repaired = threading.Event()
        self.group = world.new_group(lanes=1)

        @self.group.handles(Counted)
        def fail_first(event: Counted, context: Any) -> None:
            if event.number == 1 and not self.repaired.is_set():
                raise RuntimeError("broken\nby the weather")
            act(event, context)

        self.ids = world.send([("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3)])

    def relay(self, *words: str, code: int = 0) -> str:
        """Runs `relay parked`; what it says."""
        environment = os.environ | {
            "EVENT_BUS_DATABASE_URL": self.world.database_url,
            "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": self.world.bootstrap_servers,
            "EVENT_BUS_SCHEMA_REGISTRY_URL": "http://127.0.0.1:1",
        }
        done = run_relay("parked", *words, environment=environment, folder=self.world.folder)
        assert done.returncode == code, (done.stdout, done.stderr)
        return done.stdout + done.stderr

    def listed(self, *words: str) -> list[Any]:
        found: list[Any] = json.loads(self.relay("list", "--json", *words))["parked"]
        return found


@pytest.fixture
def parked(world: World) -> Iterator[Parked]:
    made = Parked(world)
    # In a pause that the test does not wait for
    with world.running(made.group, **LONG):
        until(lambda: world.rows(PARKED) == [(5,)])
        yield made


def test_the_first_event_of_each_key_is_listed_with_what_waits_for_it(parked: Parked) -> None:
    found = {event["key"]: event for event in parked.listed()}
    assert {key: (each["event_id"], each["waiting"]) for key, each in found.items()} == {
        "a": (parked.ids[0], 2),
        "b": (parked.ids[1], 1),
    }
    assert {event["attempts"] for event in found.values()} == {3}
    assert parked.listed("--group", "another") == []
    assert len(parked.listed("--limit", "1")) == 1
    text = parked.relay("list")
    assert f"{parked.ids[0]} {parked.world.group} counted a tried 3 times, next at 20" in text
    assert "2 later events wait" in text
    assert "    broken by the weather" in text
    assert "there may be more: --limit" in parked.relay("list", "--limit", "1")


def test_a_retry_does_not_wait_for_the_pause(parked: Parked) -> None:
    world = parked.world
    parked.repaired.set()
    # When one key is tried, by an event that is not its first
    said = parked.relay("retry", parked.ids[4])
    assert f"{parked.ids[4]} comes after earlier events of its key" in said
    assert "1 keys are tried now" in said
    until(lambda: world.numbers("a") == [1, 2, 3])
    assert world.numbers("b") == []
    # Then all of them
    parked.relay("retry", "--group", world.group)
    until(lambda: world.numbers("b") == [1, 2])
    assert "no parked events" in parked.relay("list")
    assert "not parked: nobody" in parked.relay("retry", "nobody", code=1)
    assert "Give ids, --group or --all" in parked.relay("retry", code=2)


def test_what_is_skipped_is_a_dead_letter_and_the_later_ones_of_its_key_go_on(
    parked: Parked,
) -> None:
    world = parked.world
    said = parked.relay("skip", parked.ids[0], "--reason", "an order of the test shop")
    assert f"{parked.ids[0]} skipped for {world.group}, 2 later events go on" in said
    until(lambda: world.numbers("a") == [2, 3])
    ((event_id, attempt, error),) = world.rows(
        "select event_id, attempt, error from inbox.dead_letters"
    )
    assert (event_id, attempt) == (parked.ids[0], 4)
    assert error == "skipped by an operator: an order of the test shop"
    until(lambda: len(world.records(world.dlq)) == 1)
    # Of another key the second one: the first one still waits
    parked.relay("skip", parked.ids[3], "--reason", "twice")
    (waiting,) = parked.listed()
    assert (waiting["key"], waiting["waiting"]) == ("b", 0)
    assert "not parked" in parked.relay("skip", parked.ids[0], "--reason", "again", code=1)
    assert "--reason must have" in parked.relay("skip", parked.ids[1], "--reason", " ", code=2)
    # And it can be replayed
    parked.repaired.set()
    with world.connect() as connection:
        replay(world.settings(), connection, find(connection, Filter(event_ids=[parked.ids[0]])))
    until(lambda: world.numbers("a") == [2, 3, 1])


def test_a_replay_that_is_skipped_is_dead_again(parked: Parked) -> None:
    world = parked.world
    parked.relay("skip", parked.ids[0], "--reason", "first")
    until(lambda: world.numbers("a") == [2, 3])
    with world.connect() as connection:
        replay(world.settings(), connection, find(connection, Filter()))
    until(lambda: parked.ids[0] in {event["event_id"] for event in parked.listed()})
    until(lambda: world.rows("select attempts from inbox.parked where key = 'a'") > [(4,)])
    parked.relay("skip", parked.ids[0], "--reason", "second")
    rows = world.rows("select state, error from inbox.dead_letters")
    assert rows == [("dead", "skipped by an operator: second")]
