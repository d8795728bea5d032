"""The error that interrupts a handler comes inside of it, or not at all."""

from __future__ import annotations

import random
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from relay.consume import time_limit
from relay.consume.record import Record
from relay.consume.time_limit import HandlerInterrupted, Handlings

RECORD = Record.read("t", 0, 0, key=b"", value=None, headers=())
CONNECTION: Any = SimpleNamespace(info=SimpleNamespace(backend_pid=1))


def test_no_interruption_comes_after_its_handler_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given handlers that take about as long as they may, and a watchdog that is slow to interrupt
    handlings = Handlings(0.001)
    raise_in = time_limit._raise_in

    def hesitate(thread: int, error: type[BaseException] | None) -> None:
        if error is not None:
            time.sleep(0.001)
        raise_in(thread, error)

    monkeypatch.setattr(time_limit, "_raise_in", hesitate)
    until = time.monotonic() + 2
    outside: list[BaseException] = []
    interrupted: list[bool] = []

    def handle(chance: random.Random) -> None:
        handling = handlings.begin(CONNECTION, RECORD, 1, head=None, server="")
        try:
            try:
                end = time.monotonic() + chance.uniform(0, 0.002)
                while time.monotonic() < end:
                    pass
            finally:
                handlings.end(handling)
        except HandlerInterrupted:
            handlings.end(handling)
        interrupted.append(handling.over)

    def work(seed: int) -> None:
        chance = random.Random(seed)
        try:
            while time.monotonic() < until:
                handle(chance)
                sum(range(200))  # what the relay does between two events
        except BaseException as error:
            outside.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    # When they are watched all the time
    while time.monotonic() < until:
        handlings.interrupt()
        time.sleep(0.0002)
    for thread in threads:
        thread.join(20)
    # Then some were interrupted and some were not, and nothing else was
    assert outside == []
    assert True in interrupted
    assert False in interrupted
    assert handlings.stuck(0) == []
