"""Starts the processes that take part in a measurement, and ends them with it."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil

from relay.bench.options import BenchFailed
from relay.bench.testbed import BenchRelay
from relay.local import watchdog
from relay.local.process import ProcessId, kill_family, spawn, wait_until_dead

__all__ = ["BenchWorker", "Child", "await_working", "bench_child", "relay_process", "relay_worker"]

_END_SECONDS = 20.0
_FIRST_EVENTS = 1_000
_POLL_SECONDS = 0.1


class Child:
    """A process that runs a function of the bench."""

    def __init__(self, process: SpawnProcess, results: Connection) -> None:
        self._process = process
        self._results = results

    def read(self, deadline: float) -> Any:
        """Returns the next result; deadline: by time.monotonic(). Raises BenchFailed."""
        name = self._process.name
        if not self._results.poll(max(0.0, deadline - time.monotonic())):
            raise BenchFailed(
                f"{name} was not done in time: raise --limit-seconds, or look at what the worker "
                "wrote to standard error"
            )
        try:
            return self._results.recv()
        except EOFError:
            self._process.join()
            raise BenchFailed(
                f"{name} ended with status {self._process.exitcode}: see standard error"
            ) from None


class BenchWorker:
    """A process of the relay as a user starts it."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = psutil.Process(process.pid)
        self._child = process
        self._log = log

    def wait(self, deadline: float) -> None:
        """Waits for its end; deadline: by time.monotonic(). Raises BenchFailed."""
        try:
            status = self._child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise BenchFailed(f"the worker does not end; its log: {self.tail()}") from error
        if status != 0:
            raise BenchFailed(f"the worker ended with status {status}; its log: {self.tail()}")

    def tail(self) -> str:
        """Returns the end of its log."""
        return self._log.read_text()[-2000:].strip()


@contextmanager
def relay_worker(relay: BenchRelay, *arguments: str) -> Iterator[BenchWorker]:
    """Runs `relay run` with `arguments` during the block."""
    with relay_process(relay, "run", *arguments) as worker:
        yield worker


@contextmanager
def relay_process(
    relay: BenchRelay, *arguments: str, environment: Mapping[str, str] = MappingProxyType({})
) -> Iterator[BenchWorker]:
    """Runs `relay` with `arguments` during the block. environment: variables besides its own."""
    log = relay.folder / "worker.log"
    process = spawn(
        [sys.executable, "-m", "relay.cli.main", *arguments],
        log=log,
        cwd=relay.folder,
        environment={**os.environ, **relay.environment, **environment},
    )
    with _ended_afterwards(process.pid, "relay.cli.main"):
        yield BenchWorker(process, log)
    process.wait()


@contextmanager
def bench_child(function: Callable[..., None], *arguments: Any) -> Iterator[Child]:
    """Runs `function(connection, *arguments)` in a process during the block.

    It sends its results over the connection.
    """
    context = multiprocessing.get_context("spawn")
    results, sender = context.Pipe(duplex=False)
    process = context.Process(
        target=function, args=(sender, *arguments), name=function.__name__, daemon=True
    )
    process.start()
    sender.close()
    assert process.pid is not None
    with results, _ended_afterwards(process.pid, "--multiprocessing-fork"):
        yield Child(process, results)
    process.join()


def await_working(relay: BenchRelay, worker: BenchWorker, deadline: float) -> None:
    """Publishes the first events of a relay, so that all of its shards are working.

    deadline: by time.monotonic(). Raises BenchFailed.
    """
    relay.fill(_FIRST_EVENTS, _FIRST_EVENTS, avro=False)
    while relay.count_flags()["flagged"] < _FIRST_EVENTS:
        if time.monotonic() > deadline:
            raise BenchFailed(f"the worker publishes nothing; its log: {worker.tail()}")
        time.sleep(_POLL_SECONDS)


@contextmanager
def _ended_afterwards(pid: int, marker: str) -> Iterator[None]:
    """Ends a child process after the block, also if this process is killed meanwhile."""
    watchdog.guard(ProcessId.of(pid, marker))
    process = psutil.Process(pid)
    try:
        yield
    finally:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
        if not wait_until_dead(process, _END_SECONDS):
            kill_family(process)
