"""H43: a handler that never returns costs its event attempts, and keeps nothing else waiting."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from relay.consume import watchdog, worker
from relay.errors import RelayError
from tests.integration.consuming import Counted, World, act
from tests.stack import until

Hang = Callable[[Any], None]


def _loop(_: Any) -> None:
    while True:
        pass


def _sleep_in_the_database(connection: Any) -> None:
    connection.execute("select pg_sleep(600)")


def _run_short_statements(connection: Any) -> None:
    while True:
        connection.execute("select 1")


def _wait_for_a_row(connection: Any) -> None:
    connection.execute("update held set number = 1")


def _swallow_what_the_database_says(connection: Any) -> None:
    while True:
        with suppress(Exception):
            connection.execute("select 1")
        # An error of the time limit itself is one of those, too.
        if connection.closed:
            return


INTERRUPTIBLE = {
    "a loop": _loop,
    "a long statement": _sleep_in_the_database,
    "short statements": _run_short_statements,
    "a lock on a row": _wait_for_a_row,
    "errors are swallowed": _swallow_what_the_database_says,
}


@pytest.fixture
def held(world: World) -> Iterator[None]:
    """A row that another session has locked."""
    with world.connect() as other:
        other.execute("create table held (number int)")
        other.execute("insert into held values (0)")
        with other.transaction():
            other.execute("select from held for update")
            yield


# An interruption that comes inside of a callback from C is lost, and repeated.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("parked", [False, True], ids=["live", "parked"])
@pytest.mark.parametrize("hang", INTERRUPTIBLE.values(), ids=INTERRUPTIBLE.keys())
def test_a_handler_that_takes_too_long_is_interrupted_and_dead_after_its_attempts(
    world: World, hang: Hang, parked: bool
) -> None:
    # Given one lane, and a handler that never returns for one event
    group = world.new_group(lanes=1, statement_timeout_ms=600_000, time_limit_s=0.4)
    attempts: list[int] = []

    @group.handles(Counted)
    def hang_for_one(event: Counted, context: Any) -> None:
        if (event.aggregate_id, event.number) != ("a", 2):
            act(event, context)
            return
        attempts.append(context.attempt)
        if parked and context.attempt <= 3:
            raise RuntimeError("parked first")
        act(event, context)
        hang(context.connection)

    ids = world.send([("b", 1), ("a", 1), ("a", 2), ("b", 2), ("a", 3), ("b", 3)])
    world.until_idle(group, max_attempts=5 if parked else 2)

    # Then each time counts once, and the others are acted on once
    hung = [number for number in attempts if not parked or number > 3]
    assert hung == ([4, 5] if parked else [1, 2])
    assert world.numbers("a") == [1, 3]
    assert world.numbers("b") == [1, 2, 3]
    (letter,) = world.rows("select event_id, attempt, stage, error from inbox.dead_letters")
    assert letter[:3] == (ids[2], attempts[-1], "handle")
    assert "has not returned within 0.4 s" in letter[3]


def test_a_slow_handler_is_parked_after_its_first_attempt(world: World) -> None:
    # Given a handler that hangs as often as it is called
    group = world.new_group(lanes=1, time_limit_s=0.4)
    attempts: list[int] = []

    @group.handles(Counted)
    def hang_for_a(event: Counted, context: Any) -> None:
        if event.aggregate_id == "a":
            attempts.append(context.attempt)
            _loop(context)
        act(event, context)

    world.send([("a", 1), ("b", 1)])
    with world.running(group, max_attempts=100, backoff_initial_ms=60_000, backoff_max_ms=60_000):
        until(lambda: world.rows("select attempts from inbox.parked") == [(1,)])
        # Then others of its lane go on after one time limit
        until(lambda: world.numbers("b") == [1])
    assert attempts == [1]


def _receive(released: threading.Event) -> None:
    ours, theirs = socket.socketpair()
    threading.Thread(target=lambda: (released.wait(60), theirs.close())).start()
    ours.recv(1)


def _wait(released: threading.Event) -> None:
    released.wait()


def _swallow_everything(released: threading.Event) -> None:
    while not released.is_set():
        with suppress(BaseException):
            time.sleep(0.01)


@pytest.mark.parametrize("parked", [False, True], ids=["live", "parked"])
@pytest.mark.parametrize("hang", [_receive, _wait, _swallow_everything])
def test_where_a_handler_cant_be_interrupted_its_attempt_counts_and_the_process_ends(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    hang: Callable[[threading.Event], None],
    parked: bool,
) -> None:
    monkeypatch.setattr(watchdog, "GRACE_S", 0.3)
    monkeypatch.setattr(worker, "STOP_PATIENCE_S", 0.3)
    released = threading.Event()
    group = world.new_group(lanes=1, time_limit_s=0.4)

    @group.handles(Counted)
    def hang_for_one(event: Counted, context: Any) -> None:
        if parked and context.attempt <= 3:
            raise RuntimeError("parked first")
        act(event, context)
        if not released.is_set():
            hang(released)

    world.send([("a", 1), ("a", 2)])
    # When it is in a call that has no timeout, then the group's process ends and says why
    try:
        with pytest.raises(RelayError, match="can't be interrupted"):
            world.until_idle(group, max_attempts=100)
        counted = 4 if parked else 1
        parked_now = "select attempts, error from inbox.parked where attempts > 0"
        ((attempts, error),) = world.rows(parked_now)
        assert (attempts, "has not returned" in error) == (counted, True)
    finally:
        released.set()
    # And the next one goes on where it stood
    world.until_idle(group, max_attempts=100)
    assert world.numbers("a") == [1, 2]
    assert world.rows("select attempt from effects where number = 1") == [(counted + 1,)]


def test_a_process_that_stood_still_has_no_slow_handlers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a watchdog that is late by more than the time limit, as after SIGSTOP
    group = world.new_group(lanes=1, time_limit_s=1.0)
    begun = threading.Event()

    @group.handles(Counted)
    def take_half_a_second(event: Counted, context: Any) -> None:
        begun.set()
        context.connection.execute("select pg_sleep(0.5)")
        act(event, context)

    clock = time.monotonic
    late = [0.0]
    monkeypatch.setattr(
        "relay.consume.watchdog.time", type("Clock", (), {"monotonic": lambda: clock() + late[0]})
    )
    monkeypatch.setattr(
        "relay.consume.time_limit.time",
        type("Clock", (), {"monotonic": lambda: clock() + late[0], "sleep": time.sleep}),
    )
    world.send([("a", 1)])
    with world.running(group):
        until(begun.is_set)
        late[0] = 30.0
        until(lambda: world.numbers("a") == [1])
    # Then none is interrupted
    assert world.rows("select attempt from effects") == [(1,)]
