"""`relay consume`, `relay reconcile` and `relay dlq` as an operator uses them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from relay.schema.approvals.registration import register_catalog
from relay.schema.catalog import Catalog
from relay.schema.client.client import RegistryClient
from tests.commands import run_relay
from tests.integration.consuming import World
from tests.stack import until

GROUPS = """
import os
from relay.consume import Fatal, Group
from tests.integration.consuming import Counted, act

first, second = Group({first!r}), Group({second!r})

@first.handles(Counted)
def may_fail(event, context):
    if event.number == 13 and not os.path.exists({repaired!r}):
        raise Fatal("13 does not work")
    act(event, context)

@second.handles(Counted)
def count(event, context):
    context.connection.execute("insert into seconds values (%s)", (event.number,))
"""


class Shop:
    """Two groups of one domain, run by the command line in a folder of its own."""

    def __init__(self, world: World, folder: Path, registry_url: str) -> None:
        self.world = world
        self.folder = folder
        self.repaired = folder / "repaired"
        self.second = f"h-{world.name}"[:50]
        world.add_group(self.second)
        with RegistryClient(registry_url) as registry:
            (made,) = register_catalog(Catalog.load(world.folder), registry)
        assert made.schema_id is not None
        world.schema_id = made.schema_id
        with world.connect() as connection:
            connection.execute("create table seconds (number int)")
        (folder / "groups.py").write_text(
            GROUPS.format(first=world.group, second=self.second, repaired=str(self.repaired))
        )
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.getcwd(),
            "EVENT_BUS_DATABASE_URL": world.database_url,
            "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": world.bootstrap_servers,
            "EVENT_BUS_SCHEMA_REGISTRY_URL": registry_url,
            "EVENT_BUS_SCHEMAS_DIR": str(world.folder),
            "EVENT_BUS_CONSUMERS": "groups",
            "EVENT_BUS_NAME": world.name,
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "relay.cli.main", *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, code: int = 0) -> str:
        done = run_relay(*words, environment=self.environment, folder=self.folder)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    def errors(self, *words: str) -> str:
        done = run_relay(*words, environment=self.environment, folder=self.folder)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json"))


@pytest.fixture
def shop(
    tmp_path: Path,
    unique_name: str,
    database_url: str,
    bootstrap_servers: str,
    registry_url: str,
) -> Shop:
    world = World(tmp_path / "schemas", unique_name, database_url, bootstrap_servers)
    return Shop(world, tmp_path, registry_url)


def test_a_group_may_have_several_processes(shop: Shop) -> None:
    world = shop.world
    world.send([(f"k{n % 20}", n // 20 + 100) for n in range(400)])
    shop.errors("consume", world.group, "--processes", "2", "--until-idle")
    assert world.rows("select count(*), count(distinct event_id) from effects") == [(400, 400)]
    for n in range(20):
        assert world.numbers(f"k{n}") == list(range(100, 120))


def test_a_dead_letter_is_listed_shown_replayed_and_resolved(shop: Shop) -> None:
    world = shop.world
    ids = world.send([("a", 12), ("a", 13), ("a", 14)])
    assert f"{world.group}: handled 2, 1 dead" in shop.errors("consume", "--until-idle")
    shop.run("reconcile", "--until-idle")

    (letter,) = shop.json("dlq", "list", "--group", world.group)["dead_letters"]
    assert letter["event_id"] == ids[1]
    assert (letter["state"], letter["attempts"]) == ("dead", 1)
    assert letter["dlq"] == {"topic": world.dlq, "partition": 0, "offset": 0}
    assert shop.json("dlq", "list", "--aggregate", "b")["dead_letters"] == []
    assert shop.json("dlq", "list", "--since", "1h", "--type", "counted")["dead_letters"]
    listed, error = shop.run("dlq", "list").splitlines()
    assert listed.startswith(f"{ids[1]} {world.group} counted a dead after 1 tries at ")
    assert "13 does not work" in error
    (shown,) = shop.json("dlq", "show", ids[1])["dead_letters"]
    assert "13 does not work" in shown["stacktrace"]
    assert shown["headers"]["ce_id"] == ids[1]
    assert shown["payload"]["number"] == 13
    text = shop.run("dlq", "show", ids[1])
    assert '"number": 13' in text
    assert f"{world.topic}[0]@1" in text
    assert "{'" not in text

    shop.repaired.touch()
    (replayed,) = shop.json("dlq", "replay", ids[1])["replayed"]
    assert replayed["retry"] == {"topic": world.retry, "partition": 0, "offset": 0}
    shop.run("consume", world.group, "--until-idle")
    shop.run("reconcile", "--until-idle")

    assert world.numbers("a") == [12, 14, 13]
    assert world.rows("select number from seconds order by 1") == [(12,), (13,), (14,)]
    assert shop.json("dlq", "list")["dead_letters"] == []
    assert shop.run("dlq", "list") == ""
    states = world.rows("select event_id, group_name, state from outbox.outcomes")
    assert states == [(ids[1], world.group, "resolved")]


def test_a_group_that_is_killed_is_started_again_and_all_end_with_their_supervisor(
    shop: Shop,
) -> None:
    world = shop.world
    supervisor = shop.start("consume")
    try:
        world.send([("a", 1)])
        until(lambda: world.numbers("a") == [1] and world.rows("select 1 from seconds"), timeout=40)
        children = _children(supervisor.pid)
        assert len(children) == 2
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        world.send([("a", 2)])
        until(lambda: world.numbers("a") == [1, 2], timeout=40)
        until(lambda: len(world.rows("select 1 from seconds")) == 2, timeout=40)
        children = _children(supervisor.pid)
        supervisor.kill()
        until(lambda: not any(_alive(pid) for pid in children), timeout=30)
    finally:
        supervisor.kill()
        supervisor.communicate()


def test_bad_use_is_one_line_that_says_what_to_do(shop: Shop) -> None:
    assert "no consumer group nobody" in shop.run("consume", "nobody", code=2)
    assert "Give ids, --group" in shop.run("dlq", "replay", code=2)
    assert "no dead letter of event x" in shop.run("dlq", "show", "x", code=1)
    shop.environment["EVENT_BUS_CONSUMERS"] = "no_such_module"
    assert "'no_such_module' can't be imported" in shop.run("consume", code=2)
    shop.environment["EVENT_BUS_CONSUMERS"] = ""
    assert "EVENT_BUS_CONSUMERS is empty" in shop.run("consume", code=2)


def test_missing_topics_are_named_with_the_command_that_creates_them(shop: Shop) -> None:
    world = shop.world
    world.delete_topic(world.retry)

    message = shop.run("consume", world.group, code=2)

    assert message.count("\n") == 1
    assert world.retry in message
    assert "relay migrate" in message


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
