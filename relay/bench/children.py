"""The processes that take part in a measurement, each ended with it."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from relay.bench.check import check_flags
from relay.bench.options import BenchFailed
from relay.bench.place import BenchRelay
from relay.local import watchdog
from relay.local.process import ProcessId, kill_family

__all__ = ["Child", "Worker", "await_working", "bench_child", "relay_worker"]

_END_SECONDS = 20.0
_FIRST_EVENTS = 1_000
_LOOK_SECONDS = 0.1


class Child:
    """A process of the bench's own that says one JSON document a line."""

    def __init__(self, process: subprocess.Popen[bytes], name: str) -> None:
        self._process = process
        self._name = name
        self._lines: list[bytes] = []
        self._rest = b""

    def read(self, deadline: float) -> dict[str, Any]:
        """The next document; deadline: by time.monotonic(). Raises BenchFailed."""
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not self._lines:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise BenchFailed(
                        f"the {self._name} was not done in time: raise --limit-seconds, or look "
                        "at what the worker wrote to standard error"
                    )
                chunk = os.read(self._process.stdout.fileno(), 1 << 20)
                if not chunk:
                    raise BenchFailed(
                        f"the {self._name} ended with status {self._process.wait()}: "
                        "standard error says why"
                    )
                *lines, self._rest = (self._rest + chunk).split(b"\n")
                self._lines += lines
        document: dict[str, Any] = json.loads(self._lines.pop(0))
        return document


class Worker:
    """`relay run` as a user starts it."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.pid = psutil.Process(process.pid)
        self._process = process
        self._log = log

    def wait(self, deadline: float) -> None:
        """Waits for its end; deadline: by time.monotonic(). Raises BenchFailed."""
        try:
            status = self._process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise BenchFailed(f"the worker does not end; it says: {self.words()}") from error
        if status != 0:
            raise BenchFailed(f"the worker ended with status {status}; it says: {self.words()}")

    def words(self) -> str:
        """The last that it wrote."""
        return self._log.read_text()[-2000:].strip()


@contextmanager
def relay_worker(relay: BenchRelay, *words: str) -> Iterator[Worker]:
    """`relay run` with further `words`; ended afterwards if it still runs."""
    log = relay.folder / "worker.log"
    with log.open("ab") as output:
        process = _start(
            ["relay.cli.main", "run", *words],
            relay.folder,
            {**os.environ, **relay.environment},
            stdout=output,
            stderr=output,
        )
    with _ended(process):
        yield Worker(process, log)


@contextmanager
def bench_child(relay: BenchRelay, module: str, **task: Any) -> Iterator[Child]:
    """A module of the bench as a process; `task` is its only argument, as JSON."""
    process = _start(
        [f"relay.bench.{module}", json.dumps(task)],
        relay.folder,
        dict(os.environ),
        stdout=subprocess.PIPE,
    )
    with _ended(process):
        yield Child(process, module)


def await_working(relay: BenchRelay, worker: Worker, deadline: float) -> None:
    """Publishes some events of a new relay, so that all of its shards are at work.

    deadline: by time.monotonic(). Raises BenchFailed.
    """
    relay.fill(_FIRST_EVENTS, _FIRST_EVENTS, avro=False)
    while check_flags(relay)["flagged"] < _FIRST_EVENTS:
        if time.monotonic() > deadline:
            raise BenchFailed(f"the worker publishes nothing; it says: {worker.words()}")
        time.sleep(_LOOK_SECONDS)


def _start(
    words: Sequence[str], folder: Path, environment: dict[str, str], **pipes: Any
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", *words]
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, **pipes
    )
    # Should this process be killed, they must not go on measuring for ever.
    watchdog.guard(ProcessId.of(process.pid, words[0]))
    return process


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                kill_family(psutil.Process(process.pid))
                process.wait()
        if process.stdout is not None:
            process.stdout.close()
