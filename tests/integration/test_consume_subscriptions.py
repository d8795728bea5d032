"""While a deployment adds a handler, members without it do not pass its events over."""

from __future__ import annotations

from typing import Any

import pytest

from relay.consume import Group, source
from tests.integration.consuming import Counted, World, act, add_recounted
from tests.stack import until

PAUSES = {"backoff_initial_ms": 50, "backoff_max_ms": 100, "max_attempts": 1000}


def old_member(world: World) -> Group:
    group = world.new_group(lanes=1)
    group.handles(Counted)(act)
    return group


def new_member(world: World, recounted: type[Counted]) -> Group:
    group = world.new_group(lanes=1)

    @group.handles(Counted)
    @group.handles(recounted)
    def act_on_both(event: Counted, context: Any) -> None:
        act(event, context)

    return group


def send(world: World, kind: str, keys: range) -> None:
    """One event of a kind for each key, over both partitions."""
    for number in keys:
        headers = {"ce_id": f"{kind}-{number}", "ce_type": kind, "ce_subject": f"k{number}"}
        encoded = [(name, value.encode()) for name, value in headers.items()]
        world.produce(world.topic, f"k{number}".encode(), world.value(number), encoded)


def subscribed(world: World) -> list[str]:
    query = "select event_type from inbox.subscriptions order by event_type"
    return [event_type for (event_type,) in world.rows(query)]


def handled(world: World) -> list[int]:
    query = "select number from effects where event_id like 'recounted%%' order by number"
    return [number for (number,) in world.rows(query)]


def test_events_that_only_newer_members_handle_are_parked_for_them(world: World) -> None:
    # Given a member without the handler, and one that comes with it
    recounted = add_recounted(world)
    with world.running(old_member(world), **PAUSES):
        until(lambda: world.members() == 1 and subscribed(world) == ["counted"])
        send(world, "recounted", range(3))
        until(lambda: world.committed(world.topic) == 3)
        with world.running(new_member(world, recounted), **PAUSES):
            until(lambda: world.members() == 2, timeout=40)
            # When events come that only one of the two handles
            send(world, "recounted", range(10, 30))
            send(world, "counted", range(10, 30))
            # Then they are all handled, whoever has their partition
            until(lambda: handled(world) == list(range(10, 30)), timeout=40)
            until(lambda: world.rows("select count(*) from inbox.parked") == [(0,)])
    assert world.rows("select count(*) from effects") == [(40,)]
    assert world.rows("select count(*) from inbox.dead_letters") == [(0,)]


def test_what_was_passed_over_is_read_again_where_its_offset_was_not_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an old member that has passed events over, and not written how far it came
    recounted = add_recounted(world)
    monkeypatch.setattr(source, "COMMIT_EVERY_S", 1e9)
    with world.running(old_member(world), **PAUSES):
        until(lambda: world.members() == 1)
        send(world, "recounted", range(2))
        send(world, "counted", range(2))
        until(lambda: world.rows("select count(*) from effects") == [(2,)])
        # When a newer member has come up before it ends
        world.rows(
            "insert into inbox.subscriptions (group_name, event_type) values (%s, 'recounted') "
            "returning true",
            world.group,
        )
    # Then its successor finds them
    monkeypatch.undo()
    with world.running(new_member(world, recounted), **PAUSES):
        until(lambda: handled(world) == [0, 1], timeout=40)


def test_a_type_that_nobody_handles_any_more_is_passed_over_again(world: World) -> None:
    add_recounted(world)
    world.rows(
        "insert into inbox.subscriptions values (%s, 'recounted', now() - interval '11 minutes'), "
        "(%s, 'rerecounted', now() - interval '9 minutes') returning true",
        world.group,
        world.group,
    )
    send(world, "recounted", range(2))
    world.until_idle(old_member(world), **PAUSES)
    assert subscribed(world) == ["counted", "rerecounted"]
    assert world.rows("select count(*) from inbox.parked") == [(0,)]
    assert world.committed(world.topic) == 2
