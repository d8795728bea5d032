"""The processes of a run: started, started again when they are gone, killed and frozen by id."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from relay.local import watchdog
from relay.local.process import ProcessId, kill_family, spawn, working_in

__all__ = ["Actor", "Processes"]

_LOOK_S: Final = 0.1
# As a service manager does it.
_RESTART_S: Final = 0.5
_END_S: Final = 30.0
_LOG_LINES: Final = 6
# What a supervisor writes of a child; negative: the signal that ended it.
_CHILD_ENDED: Final = re.compile(r"(\S+ \S+) ended with status (-?\d+)")
_ZERO: Final = 1000
_CRASHES: Final = (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS)


@dataclass
class Actor:
    """A process with a folder and a log of its own. ended_by_us: its end is a fault of the plan."""

    name: str
    module: str
    words: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    ended_by_us: bool = False
    restart_at: float = 0.0
    starts: int = field(default=0)

    @property
    def log(self) -> Path:
        """Standard output and error of all its processes."""
        return self.folder / "log"

    @property
    def alive(self) -> psutil.Process | None:
        """The process while it is there."""
        if self.process is None or self.process.poll() is not None:
            return None
        return psutil.Process(self.process.pid)


class Processes:
    """Any thread may call any method.

    problems: one line for each process that ended without being asked to. crashes: those that a
    native library ended.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = {
            **{name: v for name, v in os.environ.items() if not name.startswith("EVENT_BUS_")},
            **environment,
            # Lock files of workers go away with everything else.
            "TMPDIR": str(folder),
        }
        self._lock = threading.RLock()
        self._actors: dict[str, Actor] = {}
        self._over = threading.Event()
        self.problems: list[str] = []
        self.crashes: list[str] = []
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()

    def add(
        self, name: str, module: str, *words: str, environment: Mapping[str, str] | None = None
    ) -> None:
        """Starts `python -m module words` and keeps it running."""
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        actor = Actor(name, module, words, folder, {**self._environment, **(environment or {})})
        with self._lock:
            self._start(actor)
            self._actors[name] = actor

    def add_relay(self, name: str, *words: str, **environment: str) -> None:
        """Starts `relay words` and keeps it running."""
        self.add(name, "relay.cli.main", *words, environment=environment)

    def run_relay(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs `relay words` to its end; RuntimeError where `check` and it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "relay.cli.main", *words],
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"relay {' '.join(words)}: {done.stderr[-2000:]}")
        return done

    def names(self, prefix: str) -> list[str]:
        """Names that begin so, in order."""
        with self._lock:
            return sorted(name for name in self._actors if name.startswith(prefix))

    def signal(self, name: str, number: signal.Signals) -> int | None:
        """Sends a signal to a process and to none of its children; its pid, None if it is gone."""
        with self._lock:
            actor = self._actors[name]
            if (process := actor.alive) is None:
                return None
            if number in (signal.SIGKILL, signal.SIGTERM):
                actor.ended_by_us = True
            process.send_signal(number)
            return process.pid

    def pid(self, name: str) -> int | None:
        """The process's id while it is there."""
        with self._lock:
            process = self._actors[name].alive if name in self._actors else None
            return process.pid if process else None

    def children(self, name: str) -> list[int]:
        """Pids of a process's children, the oldest first."""
        with self._lock, contextlib.suppress(psutil.NoSuchProcess):
            process = self._actors[name].alive
            return sorted(child.pid for child in process.children()) if process else []
        return []

    def remove(self, name: str) -> None:
        """Ends a process in good order; it does not come back."""
        with self._lock:
            actor = self._actors.pop(name)
        self._end([actor])

    def end(self, prefix: str = "") -> None:
        """Ends in good order all whose names begin so."""
        with self._lock:
            leaving = [self._actors.pop(name) for name in self.names(prefix)]
        self._end(leaving)

    def close(self) -> None:
        """Kills whatever is left."""
        self._over.set()
        self._keeper.join()
        for actor in self._actors.values():
            if (process := actor.alive) is not None:
                kill_family(process)
        # Children whose supervisor was killed.
        for stray in working_in(self._folder, r"relay\.cli\.main|tests\.chaos\.writer"):
            kill_family(stray)

    def look_at_logs(self) -> None:
        """Adds to `problems` the children that supervisors saw end by themselves."""
        for log in sorted(self._folder.glob("*/log")):
            for line in log.read_text(errors="replace").splitlines():
                if (found := _CHILD_ENDED.search(line)) is not None:
                    self._note(f"{log.parent.name}: {found[1]}", int(found[2]), log)

    def _keep(self) -> None:
        while not self._over.wait(_LOOK_S):
            with self._lock:
                for actor in self._actors.values():
                    self._look_at(actor)

    def _look_at(self, actor: Actor) -> None:
        assert actor.process is not None
        status = actor.process.poll()
        now = time.monotonic()
        if status is None:
            return
        if not actor.restart_at:
            actor.restart_at = now + _RESTART_S
            if not actor.ended_by_us:
                self._note(actor.name, status or _ZERO, actor.log)
        elif now >= actor.restart_at:
            self._start(actor)

    def _start(self, actor: Actor) -> None:
        actor.process = spawn(
            [sys.executable, "-m", actor.module, *actor.words],
            log=actor.log,
            cwd=actor.folder,
            environment=actor.environment,
        )
        actor.ended_by_us, actor.restart_at = False, 0.0
        actor.starts += 1
        with contextlib.suppress(psutil.NoSuchProcess):
            watchdog.guard(ProcessId.of(actor.process.pid, actor.module))

    def _end(self, actors: Sequence[Actor]) -> None:
        for actor in actors:
            if (process := actor.alive) is not None:
                process.terminate()
        deadline = time.monotonic() + _END_S
        for actor in actors:
            assert actor.process is not None
            try:
                status = actor.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.problems.append(f"{actor.name} did not end in {_END_S:g} s when asked to")
                kill_family(psutil.Process(actor.process.pid))
                actor.process.wait()
            else:
                if not actor.ended_by_us:
                    self._note(actor.name, status, actor.log)

    def _note(self, name: str, status: int, log: Path) -> None:
        """A process ended by itself; _ZERO stands for 0 where it should have gone on."""
        # The plan kills children of supervisors, and SIGTERM may meet one that has just begun.
        if status in (0, -signal.SIGKILL, -signal.SIGTERM):
            return
        if status in _CRASHES:
            self.crashes.append(f"{name} crashed with {signal.Signals(-status).name}")
            return
        said = " | ".join(log.read_text(errors="replace").strip().splitlines()[-_LOG_LINES:])
        self.problems.append(f"{name} ended with status {0 if status == _ZERO else status}: {said}")
