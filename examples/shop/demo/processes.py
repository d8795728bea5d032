"""The demo's processes: started, watched, killed on purpose, and ended in any case."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from examples.shop.demo.errors import DemoFailed
from relay.local import watchdog
from relay.local.process import kill_family, spawn

__all__ = ["Processes", "Running", "cpu_seconds"]

COMMAND_S: Final = 120.0
STOP_S: Final = 25.0
RESTART_S: Final = 30.0
LOG_LINES: Final = 12


@dataclass(frozen=True)
class Running:
    """A process in the background. endless: it is a failure when it ends by itself."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    endless: bool


class Processes:
    """Python programs that run with `environment` in `folder`, each with a log there."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = {
            # Settings of somebody's own relay have no business here.
            **{k: v for k, v in os.environ.items() if not k.startswith("EVENT_BUS_")},
            **environment,
            # Lock files of workers go away with everything else.
            "TMPDIR": str(folder),
            **watchdog.mark(),
        }
        self._running: list[Running] = []

    def relay(self, *words: str) -> str:
        """Runs `relay ...` to its end; its standard output. Raises DemoFailed."""
        done = self._run(*words)
        if done.returncode != 0:
            raise DemoFailed(
                f"relay {' '.join(words)} ended with {done.returncode}: {_last(done.stderr)}"
            )
        return done.stdout

    def relay_json(self, *words: str, may_find_faults: bool = False) -> Any:
        """Runs `relay ... --json`; its document. may_find_faults: exit code 1 is an answer."""
        done = self._run(*words, "--json")
        if done.returncode != 0 and not (may_find_faults and done.returncode == 1):
            raise DemoFailed(
                f"relay {' '.join(words)} ended with {done.returncode}: {_last(done.stderr)}"
            )
        try:
            return json.loads(done.stdout)
        except ValueError as error:
            raise DemoFailed(
                f"relay {' '.join(words)} --json printed no JSON: {_last(done.stdout)}"
            ) from error

    def start(self, name: str, module: str, *words: str, endless: bool = True) -> Running:
        """Starts `python -m module words` in the background."""
        log = self._folder / f"{name}.log"
        process = spawn(
            [sys.executable, "-m", module, *words],
            log=log,
            cwd=self._folder,
            environment=self._environment,
        )
        running = Running(name, process, log, endless)
        self._running.append(running)
        return running

    def start_relay(self, name: str, *words: str) -> Running:
        """Starts `relay ...` in the background; it has to go on until it is stopped."""
        return self.start(name, "relay.cli.main", *words)

    def check(self) -> None:
        """Raises DemoFailed when a process has failed, or ended although it should not."""
        for running in self._running:
            code = running.process.poll()
            if code is not None and (code != 0 or running.endless):
                raise DemoFailed(f"{running.name} ended with {code}: {_tail(running.log)}")

    def kill_child(self, of: Running, word: str, wait: Callable[[float], None]) -> tuple[int, int]:
        """SIGKILL to a child of a supervisor that has `word` in its command line.

        wait: called between looks with seconds to wait. Returns the pids of the killed process
        and of the one that the supervisor started in its place.
        """
        before = _children(of.process.pid, word)
        if not before:
            raise DemoFailed(f"{of.name} has no process with {word!r} to kill: {_tail(of.log)}")
        victim = before[0]
        victim.kill()
        deadline = time.monotonic() + RESTART_S
        while time.monotonic() < deadline:
            fresh = [child for child in _children(of.process.pid, word) if child not in before]
            if fresh:
                return victim.pid, fresh[0].pid
            wait(0.05)
        raise DemoFailed(
            f"{of.name} started nothing in place of its killed process {victim.pid} within "
            f"{RESTART_S:g} s: {_tail(of.log)}"
        )

    def cpu_seconds(self) -> dict[str, float]:
        """CPU time so far: of what runs, of this process, and of all that has ended."""
        own = os.times()
        found = {running.name: cpu_seconds(running.process.pid) for running in self._running}
        found["demo"] = own.user + own.system
        found["writers and commands"] = own.children_user + own.children_system
        return {name: seconds for name, seconds in found.items() if seconds}

    def stop(self) -> list[str]:
        """Ends all processes in good order; names of those that had to be killed."""
        killed = []
        for running in self._running:
            if running.process.poll() is None:
                running.process.terminate()
        deadline = time.monotonic() + STOP_S
        for running in self._running:
            try:
                running.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                killed.append(running.name)
                self._kill(running)
        self._running.clear()
        return killed

    def kill(self) -> None:
        """SIGKILL to all processes and their children."""
        for running in self._running:
            self._kill(running)
        self._running.clear()

    @staticmethod
    def _kill(running: Running) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            if running.process.poll() is None:
                kill_family(psutil.Process(running.process.pid))
        running.process.wait()

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [sys.executable, "-m", "relay.cli.main", *words],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=COMMAND_S,
                check=False,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired as error:
            raise DemoFailed(
                f"relay {' '.join(words)} did not end within {COMMAND_S:g} s"
            ) from error


def _children(supervisor: int, word: str) -> list[psutil.Process]:
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(supervisor).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if word in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                    found.append(child)
    return found


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, its children that live and those that have ended."""
    total = 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                total += sum(process.cpu_times()[:4])
    return total


def _tail(log: Path) -> str:
    return f"{_last(log.read_text(errors='replace'))}\n(its log: {log})"


def _last(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-LOG_LINES:]) or "it said nothing"
