"""H40: the database of a group's effects goes back in time, and the group with it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING

from relay.consume import in_flight, source
from relay.consume.dead_letters.reconciler import reconcile
from relay.consume.failures import Fatal
from relay.consume.positions import first_offset
from relay.local.postgres import LocalPostgres
from relay.postgres.migrate import migrate
from tests.integration.consuming import Counted, World, act
from tests.integration.standby import Standby, addresses
from tests.stack import until

KEYS = [f"k{number}" for number in range(10)]


def events(first: int, last: int) -> list[tuple[str, int]]:
    """Events of all keys, numbered within each."""
    return [(key, number) for number in range(first, last) for key in KEYS]


def effects(world: World) -> int:
    return int(world.rows("select count(*) from effects")[0][0])


@pytest.fixture
def between(
    primary: LocalPostgres,
    standby: Standby,
    tmp_path: Path,
    unique_name: str,
    bootstrap_servers: str,
) -> World:
    """A world whose database has a standby."""
    url = addresses("outbox", primary, standby) + "?target_session_attrs=read-write"
    return World(tmp_path, unique_name, url, bootstrap_servers)


@pytest.mark.parametrize("group_is", ["running", "stopped"])
def test_effects_that_a_promoted_standby_lacks_are_made_again_and_once(
    between: World, primary: LocalPostgres, standby: Standby, group_is: str
) -> None:
    # Given effects that the standby has, and others that it will never get
    world = between
    group = world.new_group()
    group.handles(Counted)(act)
    world.send(events(0, 10))
    with world.running(group):
        until(lambda: effects(world) == 100)
        standby.catch_up()
        standby.cut_off()
        world.send(events(10, 20))
        until(lambda: effects(world) == 200 and world.committed(world.topic) >= 200)
        # When it takes over while the group runs
        if group_is == "running":
            primary.kill()
            standby.promote()
            until(lambda: effects(world) == 200)
    # or before it is started again
    if group_is == "stopped":
        primary.kill()
        standby.promote()
        assert effects(world) == 100
        world.until_idle(group)
    # Then each event has its effects once, in order
    assert {key: world.numbers(key) for key in KEYS} == {key: list(range(20)) for key in KEYS}
    assert world.rows("select count(*) from inbox.processed") == [(200,)]


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[LocalPostgres]:
    """A server that loses in a crash what it has committed in the last seconds."""
    server = LocalPostgres(
        tmp_path / "forgetful", settings={"synchronous_commit": "off", "wal_writer_delay": "10s"}
    )
    server.start()
    migrate(server.url)
    yield server
    server.kill()


@pytest.fixture
def crashing(
    forgetful: LocalPostgres, tmp_path: Path, unique_name: str, bootstrap_servers: str
) -> World:
    """A world on that server, whose tables outlast a crash."""
    world = World(tmp_path, unique_name, forgetful.url, bootstrap_servers)
    world.rows("checkpoint")
    return world


def test_effects_that_a_crash_took_back_are_made_again_by_the_group_that_runs(
    crashing: World, forgetful: LocalPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a group that writes its position rarely
    monkeypatch.setattr(source, "COMMIT_EVERY_S", 3.0)
    world = crashing
    group = world.new_group()
    group.handles(Counted)(act)
    with world.running(group):
        for number in range(3):
            world.send(events(number, number + 1))
            until(lambda count=10 * (number + 1): effects(world) == count)
            # When the server crashes, and has forgotten effects that the group has seen committed
            forgetful.kill()
            forgetful.start()
            # Then they are made again
            until(lambda count=10 * (number + 1): effects(world) == count)
    found = Counter(key for (key,) in world.rows("select event_id from effects"))
    assert set(found.values()) == {1}
    assert {key: world.numbers(key) for key in KEYS} == {key: [0, 1, 2] for key in KEYS}


def test_a_server_that_restarts_while_the_lanes_are_full_is_noticed(
    crashing: World, forgetful: LocalPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a group that reads nothing, since its lanes are full of what its handlers wait with
    monkeypatch.setattr(in_flight, "MOST_RECORDS", 20)
    monkeypatch.setattr(source, "FETCH", 7)
    world = crashing
    group = world.new_group(batch=1)
    begun, let_go = threading.Event(), threading.Event()

    @group.handles(Counted)
    def wait(event: Counted, context: Any) -> None:
        begun.set()
        let_go.wait(60)
        act(event, context)

    world.send(events(0, 10))
    paused = threading.Event()
    pause = source.Source._pause_until_there_is_room

    def noted(self: source.Source) -> None:
        paused.set()
        pause(self)

    monkeypatch.setattr(source.Source, "_pause_until_there_is_room", noted)
    with world.running(group):
        assert begun.wait(30)
        assert paused.wait(30)
        # When the server crashes and is back, and the handlers go on
        forgetful.kill()
        forgetful.start()
        let_go.set()
        # Then all is read on
        until(lambda: effects(world) == 100, timeout=30)
    assert {key: world.numbers(key) for key in KEYS} == {key: list(range(10)) for key in KEYS}


def test_outcomes_that_a_promoted_standby_lacks_are_read_again(
    between: World, primary: LocalPostgres, standby: Standby
) -> None:
    # Given dead letters, and a standby without the outcomes that they have in the outbox
    world = between
    group = world.new_group()

    @group.handles(Counted)
    def never(*_: object) -> None:
        raise Fatal("never")

    world.send(events(0, 1))
    world.until_idle(group)
    standby.catch_up()
    standby.cut_off()
    reconcile(world.settings(), until_idle=True)
    assert world.rows("select count(*) from outbox.outcomes") == [(10,)]
    # When it takes over
    primary.kill()
    standby.promote()
    assert world.rows("select count(*) from outbox.outcomes") == [(0,)]
    # Then the reconciler reads them again
    reconcile(world.settings(), until_idle=True)
    assert world.rows("select count(*) from outbox.outcomes") == [(10,)]


def test_positions_of_a_topic_that_was_made_anew_mean_nothing(world: World) -> None:
    # Given a group that has read a topic, which is deleted and created again
    group = world.new_group()
    group.handles(Counted)(act)
    world.send(events(0, 2))
    world.until_idle(group)
    world.delete_topic(world.topic)
    world.create_topics()
    # When it has more records than the former one had
    world.send(events(2, 6))
    world.until_idle(group)
    # Then every record is read
    assert {key: world.numbers(key) for key in KEYS} == {key: list(range(6)) for key in KEYS}


def test_a_member_that_stays_does_not_remember_a_topic_that_was_made_anew(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a group that runs while its topic is deleted, and hears of that
    caplog.set_level("INFO")
    group = world.new_group()
    group.handles(Counted)(act)
    world.send(events(0, 2))
    with world.running(group):
        until(lambda: effects(world) == 20 and world.committed(world.topic) >= 20)
        world.delete_topic(world.topic)
        until(lambda: any(f"lost {world.topic}" in each for each in caplog.messages), timeout=60)
        # When it is created again, with more records than the former one had
        world.create_topics()
        world.send(events(2, 6))
        # Then every record is read
        until(lambda: effects(world) == 60, timeout=60)
    assert {key: world.numbers(key) for key in KEYS} == {key: list(range(6)) for key in KEYS}


def test_what_retention_has_deleted_before_the_group_read_it_is_named(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    # Given records behind the group's position that the topic deletes
    group = world.new_group()
    group.handles(Counted)(act)
    world.send(events(0, 2))
    world.until_idle(group)
    world.send(events(2, 4))
    world.delete_records(world.topic)
    # When the group starts again
    world.until_idle(group)
    # Then it says which
    named = [r for r in caplog.messages if "deleted offsets" in r and world.group in r]
    assert named
    assert effects(world) == 20


@pytest.mark.parametrize(
    ("position", "committed", "first"),
    [
        (5, 7, 5),
        (7, 5, 5),
        (5, None, 5),
        (None, 7, OFFSET_BEGINNING),
        (None, None, OFFSET_BEGINNING),
    ],
)
def test_the_lower_one_counts(position: int | None, committed: int | None, first: int) -> None:
    assert first_offset(position, committed) == first
