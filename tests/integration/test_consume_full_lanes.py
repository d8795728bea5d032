"""While the lanes are full nothing is read; then all that is assigned is read on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from relay.consume import Group, in_flight, source
from tests.integration.consuming import Counted, World, act
from tests.stack import until

KEYS = [f"k{n}" for n in range(8)]


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> list[source.Source]:
    """Sources with small lanes, each time that one of them pauses reading."""
    monkeypatch.setattr(in_flight, "MOST_RECORDS", 20)
    monkeypatch.setattr(source, "FETCH", 7)
    found: list[source.Source] = []
    pause: Callable[[source.Source], None] = source.Source._pause_until_there_is_room

    def noting(self: source.Source) -> None:
        found.append(self)
        pause(self)

    monkeypatch.setattr(source.Source, "_pause_until_there_is_room", noting)
    return found


def waiting(world: World, let_go: threading.Event) -> Group:
    """A group whose handlers wait until they are let go."""
    group = world.new_group(batch=1)

    @group.handles(Counted)
    def wait(event: Counted, context: Any) -> None:
        let_go.wait(60)
        act(event, context)

    return group


def send(world: World, numbers: range) -> None:
    world.send([(key, number) for number in numbers for key in KEYS])


def await_effects(world: World, count: int) -> None:
    until(lambda: world.rows("select count(*) from effects") == [(count * len(KEYS),)])
    assert {key: world.numbers(key) for key in KEYS} == {key: list(range(count)) for key in KEYS}


def test_a_group_whose_lanes_were_full_goes_on_where_it_stood(
    world: World, paused: list[source.Source]
) -> None:
    let_go = threading.Event()
    send(world, range(40))
    with world.running(waiting(world, let_go)):
        until(lambda: paused)
        let_go.set()
        await_effects(world, 40)


def test_a_partition_that_left_while_the_lanes_were_full_is_read_when_it_comes_back(
    world: World, paused: list[source.Source]
) -> None:
    # Given a member whose lanes are full, and another that takes a partition from it
    let_go = threading.Event()
    send(world, range(20))
    with world.running(waiting(world, let_go)):
        until(lambda: paused)
        with world.running(waiting(world, let_go)):
            until(lambda: world.members() == 2)
            let_go.set()
            await_effects(world, 20)
        # When the first one has it again
        until(lambda: world.members() == 1)
        # Then it is read
        send(world, range(20, 25))
        await_effects(world, 25)
