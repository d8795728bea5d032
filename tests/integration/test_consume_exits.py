"""A handler that ends the program, or returns what is still to be run, fails its event alone."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from relay.consume.decode import Decoder
from relay.schema.approvals.registration import register_catalog
from relay.schema.catalog import Catalog
from relay.schema.client.client import RegistryClient
from tests.integration.consuming import Counted, World, act
from tests.stack import until


class Untold(Exception):
    """Can't be asked what it says, and has a code of its own."""

    sqlstate = 53300

    def __str__(self) -> str:
        raise SystemExit(4)


EXITS: dict[str, Callable[[], BaseException]] = {
    "SystemExit": lambda: SystemExit(2),
    "SystemExit of success": lambda: SystemExit(0),
    "KeyboardInterrupt": KeyboardInterrupt,
    "CancelledError": asyncio.CancelledError,
    "GeneratorExit": GeneratorExit,
    "StopIteration": StopIteration,
    "BaseException": lambda: BaseException("half \ud800, nul \0"),
    "BaseExceptionGroup": lambda: BaseExceptionGroup("all", [SystemExit(1)]),
}


@pytest.mark.parametrize("exit_of", EXITS.values(), ids=EXITS.keys())
@pytest.mark.parametrize("stage", ["handle", "decode"])
def test_what_ends_a_program_is_an_attempt_and_the_event_is_dead_after_its_attempts(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    exit_of: Callable[[], BaseException],
) -> None:
    # Given events of one batch, of which one ends the program; it is parked after three attempts
    ids = world.send([("a", 1), ("b", 2), ("c", 3), ("b", 4)])
    group = world.new_group(lanes=1)
    attempts: list[int] = []
    decode = Decoder.decode

    def exit_in_decoding(self: Decoder, record: Any, of: Any) -> Any:
        decoded = decode(self, record, of)
        if stage == "decode" and record.event_id == ids[1]:
            attempts.append(1)
            raise exit_of()
        return decoded

    monkeypatch.setattr(Decoder, "decode", exit_in_decoding)

    @group.handles(Counted)
    def handler(event: Counted, context: Any) -> None:
        act(event, context)
        if event.number == 2:
            attempts.append(context.attempt)
            raise exit_of()

    world.until_idle(group, max_attempts=5)

    # Then it is dead after its attempts and has done nothing, and the others are acted on
    # (and once in the batch, which counts for none of its events)
    assert len(attempts) == 1 + 5
    assert [world.numbers(key) for key in "abc"] == [[1], [4], [3]]
    letters = world.rows(
        "select event_id, attempt, stage, error_class, error from inbox.dead_letters"
    )
    kind = type(exit_of())
    error_class = f"{kind.__module__}.{kind.__qualname__}"
    assert [row[:4] for row in letters] == [(ids[1], 5, stage, error_class)]
    assert kind.__qualname__ in letters[0][4]
    assert len(world.records(world.dlq)) == 1


def test_an_error_that_can_not_be_asked_what_it_says_is_an_attempt(world: World) -> None:
    world.send([("a", 1), ("b", 2)])
    group = world.new_group()

    @group.handles(Counted)
    def handler(event: Counted, context: Any) -> None:
        act(event, context)
        if event.number == 1:
            raise Untold

    world.until_idle(group, max_attempts=4)

    assert world.numbers("b") == [2]
    assert world.rows("select attempt, error from inbox.dead_letters") == [(4, "Untold")]


def test_an_event_that_is_parked_may_exit_and_be_acted_on_later(world: World) -> None:
    world.send([("a", 1), ("a", 2)])
    group = world.new_group()

    @group.handles(Counted)
    def handler(event: Counted, context: Any) -> None:
        act(event, context)
        # The first three attempts are the lane's, the next the parked runner's.
        if event.number == 1 and context.attempt < 6:
            sys.exit(f"attempt {context.attempt}")

    world.until_idle(group, max_attempts=10)

    assert world.rows("select number, attempt from effects order by position") == [(1, 6), (2, 1)]
    assert world.rows("select count(*) from inbox.dead_letters") == [(0,)]


def generator(event: Counted, context: Any) -> Iterator[None]:
    act(event, context)
    yield


async def asynchronous_generator(event: Counted, context: Any) -> Any:
    act(event, context)
    yield


@pytest.mark.parametrize(
    ("hidden", "kind"),
    [
        (generator, "generator"),
        (asynchronous_generator, "async_generator"),
    ],
)
@pytest.mark.parametrize("parked", [False, True], ids=["live", "parked"])
def test_a_handler_that_returns_what_is_still_to_be_run_gives_a_dead_letter(
    world: World, hidden: Callable[[Counted, Any], Any], kind: str, parked: bool
) -> None:
    world.send([("a", 1), ("b", 2)])
    group = world.new_group()

    def choose(event: Counted, context: Any) -> Any:
        act(event, context)
        if event.number == 2:
            return context.connection.execute("select 1")  # a cursor is nothing to be run
        if parked and context.attempt < 4:
            raise RuntimeError("not yet")
        return hidden(event, context)

    group.handles(Counted)(choose)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        world.until_idle(group)

    assert [world.numbers(key) for key in "ab"] == [[], [2]]
    ((attempt, stage, error, error_class),) = world.rows(
        "select attempt, stage, error, error_class from inbox.dead_letters"
    )
    assert (attempt, stage) == (4 if parked else 1, "handle")
    assert error_class == "relay.consume.failures.Fatal"
    assert error.startswith(f"the handler returned a {kind}, which is never run")
    assert "def handler(event, context)" in error
    assert world.rows("select count(*) from inbox.processed") == [(1,)]


GROUPS = """
import sys
from relay.consume import Group
from tests.integration.consuming import Counted, act

first, second = Group({first!r}), Group({second!r})

@first.handles(Counted)
def may_exit(event, context):
    act(event, context)
    if event.number == 13:
        sys.exit({code})

@second.handles(Counted)
def count(event, context):
    context.connection.execute("insert into seconds values (%s)", (event.number,))
"""


class Shop:
    """Two groups in processes of their own, one of which exits at event 13."""

    def __init__(self, world: World, folder: Path, registry_url: str, code: int) -> None:
        self.world, self.folder = world, folder
        second = f"h-{world.name}"[:50]
        world.add_group(second)
        with RegistryClient(registry_url) as registry:
            (made,) = register_catalog(Catalog.load(world.folder), registry)
        assert made.schema_id is not None
        world.schema_id = made.schema_id
        with world.connect() as connection:
            connection.execute("create table seconds (number int)")
        (folder / "groups.py").write_text(
            GROUPS.format(first=world.group, second=second, code=code)
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
            "EVENT_BUS_BACKOFF_INITIAL_MS": "50",
            "EVENT_BUS_BACKOFF_MAX_MS": "100",
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "relay.cli.main", "consume", *words],
            cwd=self.folder, env=self.environment, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def numbers(self) -> list[list[int]]:
        """What the two groups have acted on."""
        return [
            [number for (number,) in self.world.rows(f"select number from {table} order by 1")]
            for table in ("effects", "seconds")
        ]


def dead(world: World) -> list[Any]:
    return world.rows("select group_name, attempt, error from inbox.dead_letters")


def test_a_handler_that_exits_with_2_stops_neither_its_group_nor_another(
    tmp_path: Path, unique_name: str, database_url: str, bootstrap_servers: str, registry_url: str
) -> None:
    world = World(tmp_path / "schemas", unique_name, database_url, bootstrap_servers)
    shop = Shop(world, tmp_path, registry_url, code=2)
    supervisor = shop.start()
    try:
        world.send([("a", 12), ("b", 13), ("a", 14)])
        until(lambda: shop.numbers() == [[12, 14], [12, 13, 14]], timeout=40)
        until(lambda: dead(world) == [(world.group, 5, "SystemExit: 2")], timeout=40)
        world.send([("b", 15)])
        until(lambda: shop.numbers() == [[12, 14, 15], [12, 13, 14, 15]], timeout=40)
        assert supervisor.poll() is None
    finally:
        supervisor.terminate()
        log = supervisor.communicate(timeout=30)[1]
    assert supervisor.returncode == 0, log
    assert "starts again" not in log


def test_a_handler_that_exits_with_0_does_not_report_its_event_as_handled(
    tmp_path: Path, unique_name: str, database_url: str, bootstrap_servers: str, registry_url: str
) -> None:
    world = World(tmp_path / "schemas", unique_name, database_url, bootstrap_servers)
    shop = Shop(world, tmp_path, registry_url, code=0)
    world.send([("a", 12), ("b", 13), ("a", 14)])

    process = shop.start(world.group, "--until-idle")
    assert process.wait(60) == 0

    assert shop.numbers() == [[12, 14], []]
    assert dead(world) == [(world.group, 5, "SystemExit: 0")]
    assert len(world.records(world.dlq)) == 1
