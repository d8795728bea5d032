"""Effects stay single and in order when processes of a group are killed or freeze."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.integration.consuming import World
from tests.stack import until

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(world: World) -> Iterator[Start]:
    """Starts a process of the world's group; all are killed at the end."""
    started: list[subprocess.Popen[bytes]] = []
    with world.connect() as connection:
        connection.execute("create table frozen (only_one int primary key, pid int)")

    def start_one(*, pace: float = 0.0, freeze: int = -1) -> subprocess.Popen[bytes]:
        settings = {
            "database_url": world.database_url,
            "kafka_bootstrap_servers": world.bootstrap_servers,
            "schemas_dir": str(world.folder),
            "session_timeout_ms": 1_500,
        }
        words = [json.dumps(settings), world.group, str(pace), str(freeze)]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.consuming_process", *words]
        )
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
        process.wait()


def test_effects_happen_once_while_consumers_are_killed(world: World, start: Start) -> None:
    keys = [f"k{n}" for n in range(20)]
    world.send([(key, number) for number in range(40) for key in keys])
    total = len(keys) * 40
    done = "select count(*) from effects"
    start(pace=0.002)
    for part in (1, 2, 3):
        victim = start(pace=0.002)
        until(lambda part=part: world.rows(done)[0][0] >= total * part / 5, timeout=60)
        victim.kill()

    until(lambda: world.rows(done)[0][0] >= total, timeout=60)

    assert {key: world.numbers(key) for key in keys} == {key: list(range(40)) for key in keys}
    assert world.rows("select count(*) from inbox.processed") == [(total,)]


def test_a_frozen_handler_neither_blocks_its_key_nor_acts_after_its_successor(
    world: World, start: Start
) -> None:
    frozen = start(freeze=1)
    until(lambda: world.members() == 1)
    world.send([("a", number) for number in range(1, 6)])
    until(lambda: world.rows("select pid from frozen") == [(frozen.pid,)])

    start()
    until(lambda: world.numbers("a") == [1, 2, 3, 4, 5], timeout=60)
    os.kill(frozen.pid, signal.SIGCONT)
    world.send([("a", 6)])
    until(lambda: world.numbers("a") == [1, 2, 3, 4, 5, 6], timeout=60)
    frozen.send_signal(signal.SIGTERM)
    frozen.wait(30)

    assert world.numbers("a") == [1, 2, 3, 4, 5, 6]
    assert world.rows("select count(*) from inbox.dead_letters") == [(0,)]
    assert world.rows("select distinct attempt from effects") == [(1,)]


def test_sigterm_ends_a_process_with_its_offsets_committed(world: World, start: Start) -> None:
    process = start()
    world.send([("a", number) for number in range(10)])
    until(lambda: world.numbers("a") == list(range(10)))

    process.send_signal(signal.SIGTERM)

    assert process.wait(20) == 0
    assert world.committed(world.topic) == 10
