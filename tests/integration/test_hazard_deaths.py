"""H43: an event whose handler kills the process is found out, and the others go on."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from relay.consume.assigned import Assigned
from relay.consume.session import Session
from relay.observe import Events
from relay.outages import Outages
from tests.integration.consuming import Counted, World, act
from tests.stack import until

SCRIPT = """
import ctypes, os, signal, threading
from pathlib import Path
from relay.consume import Group
from relay.consume.worker import consume
from relay.settings import load_settings
from tests.integration.consuming import Counted, OneSchema, act

group = Group({group!r}, lanes=2, batch=10)

@group.handles(Counted)
def handle(event, context):
    if (event.aggregate_id, event.number) == ("a", 2):
        if context.attempt <= {failures}:
            raise RuntimeError("parked first")
        {death}
    act(event, context)

consume(
    load_settings(
        database_url={database_url!r}, kafka_bootstrap_servers={servers!r},
        schemas_dir={schemas!r}, name={name!r}, backoff_initial_ms=50, backoff_max_ms=100,
        max_attempts={max_attempts},
    ),
    group, OneSchema(), until_idle=True,
)
"""
DEATHS = {
    "exit": "os._exit(0)",
    "kill": "os.kill(os.getpid(), signal.SIGKILL)",
    "crash": "ctypes.string_at(0)",
}


def run(world: World, folder: Path, death: str, failures: int) -> int:
    """Runs the group's process until it ends; its status."""
    script = folder / "group.py"
    script.write_text(
        SCRIPT.format(
            group=world.group, death=death, failures=failures, name=world.name,
            database_url=world.database_url, servers=world.bootstrap_servers,
            schemas=str(world.folder), max_attempts=failures + 2,
        )
    )  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "PYTHONFAULTHANDLER": ""}
    return subprocess.run(
        [sys.executable, script], env=environment, timeout=90, check=False,
        stderr=subprocess.DEVNULL,
    ).returncode  # fmt: skip


@pytest.mark.parametrize(
    ("death", "failures"), [("exit", 0), ("crash", 0), ("kill", 3)], ids=["exit", "crash", "parked"]
)
def test_an_event_that_kills_its_process_is_dead_and_the_others_are_acted_on_once(
    world: World, tmp_path: Path, death: str, failures: int
) -> None:
    # Given an event whose handler ends the process each time, among others
    events = [(key, n) for n in (1, 2, 3) for key in ("a", "b", "c")]
    world.send(events)
    # When the group is started again and again, as a supervisor does
    runs = 0
    while run(world, tmp_path, DEATHS[death], failures) != 0 or not finished(world):
        runs += 1
        assert runs <= 8
    # Then the event is dead after some deaths, which its letter names
    ((key, error),) = world.rows("select convert_from(key, 'UTF8'), error from inbox.dead_letters")
    assert key == "a"
    assert "processes have ended while the event was handled" in error
    assert world.numbers("a") == [1, 3]
    assert world.numbers("b") == world.numbers("c") == [1, 2, 3]
    # And nothing is left of what was noted
    assert world.rows("select * from inbox.begun") == []


def finished(world: World) -> bool:
    return bool(world.rows("select 1 from inbox.dead_letters"))


def test_after_an_orderly_end_nobody_is_careful(world: World) -> None:
    group = world.new_group()
    group.handles(Counted)(act)
    with world.running(group):
        world.send([("a", 1)])
        until(lambda: world.numbers("a") == [1])
        # Of the topic and of the retry topic
        assert len(world.rows("select place from inbox.assigned")) > world.partitions
    assert world.rows("select place from inbox.assigned") == []


def test_only_what_another_process_has_left_is_found(world: World) -> None:
    session = Session(
        world.database_url, "test", threading.Event(), Outages(Events()), idle_timeout_ms=10_000
    )
    first, second = Assigned(world.group, session), Assigned(world.group, session)
    places = [(world.topic, 0), (world.topic, 1)]
    assert first.take(places) == set()
    assert first.take(places) == set()
    first.give_up(places[:1])
    # The other one was not given up
    assert second.take(places) == {places[1]}
    # A process that was taken for dead does not give up what is another's
    first.give_up(places)
    third = Assigned(world.group, session)
    assert third.take(places) == set(places)
    session.close()
