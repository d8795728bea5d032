"""A group's effects: each event once, in order per key, from committed transactions alone."""

from __future__ import annotations

from pathlib import Path

from tests.integration.consuming import Counted, World, act
from tests.stack import until


def test_each_event_is_acted_on_once_and_in_order_of_its_key(world: World) -> None:
    keys = [f"k{n}" for n in range(10)]
    world.send([(key, number) for number in range(30) for key in keys])
    group = world.new_group()
    group.handles(Counted)(act)

    world.until_idle(group)
    world.until_idle(group)

    assert {key: world.numbers(key) for key in keys} == {key: list(range(30)) for key in keys}
    assert world.rows("select count(*) from inbox.processed") == [(300,)]


def test_events_of_aborted_transactions_are_not_seen(world: World) -> None:
    world.send([("a", 1)])
    world.send([("a", 2), ("b", 2)], commit=False)
    world.send([("a", 3)])
    group = world.new_group()
    group.handles(Counted)(act)

    world.until_idle(group)

    assert (world.numbers("a"), world.numbers("b")) == ([1, 3], [])


def test_events_of_a_topic_that_was_made_anew_under_a_running_group_are_not_passed(
    tmp_path: Path, unique_name: str, database_url: str, bootstrap_servers: str
) -> None:
    # Given a member that is in the middle of a topic
    world = World(tmp_path, unique_name, database_url, bootstrap_servers, partitions=1)
    group = world.new_group()
    group.handles(Counted)(act)
    world.send([("a", number) for number in range(10)])
    with world.running(group):
        until(lambda: world.committed(world.topic) >= 10)
        # When the topic is deleted and made anew, with fewer events
        world.delete_topic(world.topic)
        world.create_topics()
        world.send([("b", number) for number in range(3)])
        until(lambda: world.numbers("b") == [0, 1, 2])
    # Then a later member goes on behind those, not where the former topic was
    assert world.committed(world.topic) == 3
    world.send([("b", number) for number in range(3, 20)])
    world.until_idle(group)
    assert world.numbers("b") == list(range(20))
