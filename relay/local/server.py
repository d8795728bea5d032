"""The base of the local servers: starting, stopping, killing, ports and failures."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import ClassVar, Self

import psutil

from relay.errors import StackFailed
from relay.local import ports, watchdog
from relay.local.failures import check_space, explain_exit, explain_os_error, lost_its_port
from relay.local.process import (
    ProcessId,
    kill_family,
    signal_family,
    spawn,
    wait_until_dead,
    working_in,
)
from relay.local.state import StateFile

__all__ = ["START_SECONDS", "LocalServer"]

START_SECONDS = 60.0
_POLL_SECONDS = 0.01
_PORT_CHOICES = 3


class LocalServer(ABC):
    """One server with a folder and ports of its own, and a process that may be killed.

    dir: data, log, and `server.json` with ports and process.
    outlive: keep the server running when the calling process ends; by default it is then killed,
    however the caller ended.
    Not thread-safe. Several processes may use the same folder, but not start or stop the server
    at the same time.
    """

    title: ClassVar[str]
    program: ClassVar[str]  # regular expression: the command lines of all its processes
    fatal_line: ClassVar[str] = ""  # regular expression: the reason for an exit, in its log
    port_names: ClassVar[tuple[str, ...]] = ("port",)
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_timeout: ClassVar[float] = 30.0

    def __init__(self, dir: Path | str, *, outlive: bool = False) -> None:
        self.dir = Path(dir).resolve()
        self.data = self.dir / "data"
        self.log = self.dir / "server.log"
        self.outlive = outlive
        self._state = StateFile(self.dir / "server.json")
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._ports_are_new = False

    @property
    @abstractmethod
    def marker(self) -> str:
        """Words of the command line that identify the process as this server."""

    def _prepare(self) -> None:  # noqa: B027, most servers need nothing
        """Called before every start; creates what is missing."""

    @abstractmethod
    def _spawn(self) -> subprocess.Popen[bytes]:
        """Starts the process."""

    @abstractmethod
    def _answers(self) -> bool:
        """Checks whether the server is ready."""

    def start(self) -> None:
        """Starts the server, unless it runs, and waits until it answers.

        After a crash it comes up with its data on the same ports. Raises StackFailed.
        """
        self.launch()
        self.await_ready()

    def launch(self) -> None:
        """Starts the process without waiting; `await_ready` must follow."""
        if self.process is not None:
            return
        try:
            self._refuse_foreign_folder()
            self.dir.mkdir(parents=True, exist_ok=True)
            check_space(self.dir)
            self._end_strays()
            self._choose_ports()
            self._prepare()
            self._child = self._spawn()
        except OSError as error:
            raise StackFailed(explain_os_error(self.title, self.dir, error)) from error
        self._remember_process(self._child.pid)

    def await_ready(self, timeout: float = START_SECONDS) -> None:
        """Waits until the server answers; timeout: seconds. Raises StackFailed."""
        deadline = time.monotonic() + timeout
        choices = 1
        while not self._answers():
            if self.process is None:
                log = self._new_log()
                if not (self._ports_are_new and choices < _PORT_CHOICES and lost_its_port(log)):
                    raise self._exit_failure(log)
                choices += 1
                self._state.update(ports=None)
                self.launch()
                continue
            if time.monotonic() > deadline:
                raise StackFailed(
                    f"{self.title} in {self.dir} runs but does not answer on port {self.port}. "
                    f"Its log is {self.log}; end it with `relay stack down` and try again"
                )
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Stops the server; kills it if it does not end in time."""
        self.resume()
        if (process := self.process) is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(self.stop_signal)
            if not wait_until_dead(process, self.stop_timeout):
                kill_family(process)
        self._forget_process()

    def kill(self) -> None:
        """Sends SIGKILL to the server and all of its children at once, like a crash."""
        if (process := self.process) is not None:
            kill_family(process)
        self._forget_process()

    def discard(self) -> None:
        """Kills the server and removes its folder, whatever state that is in."""
        self._refuse_foreign_folder()
        try:
            self.kill()
        except StackFailed:
            # The state can't be read, but the processes are still found by their working folder.
            self._end_strays()
        try:
            shutil.rmtree(self.dir, ignore_errors=not self.dir.exists())
        except OSError as error:
            raise StackFailed(explain_os_error(self.title, self.dir, error)) from error

    def pause(self) -> None:
        """Freezes the server and all of its children (SIGSTOP); connections stay open."""
        if (process := self.process) is not None:
            signal_family(process, signal.SIGSTOP)

    def resume(self) -> None:
        """Undoes `pause` (SIGCONT)."""
        if (process := self.process) is not None:
            signal_family(process, signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def process(self) -> psutil.Process | None:
        """The server's process while it is alive."""
        if self._child is not None:
            self._child.poll()  # reaps it, so that a dead child is not taken for a running one
        stored = self._state.read().get("process")
        return ProcessId(**stored).process() if stored else None

    @property
    def running(self) -> bool:
        """True while the process is alive and answers."""
        return self.process is not None and self._answers()

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1 that clients connect to."""
        return self._port(self.port_names[0])

    @property
    def known_port(self) -> int | None:
        """Like `port`, but None if the server was never started."""
        ports_by_name: dict[str, int] = self._state.read().get("ports", {})
        return ports_by_name.get(self.port_names[0])

    def _port(self, name: str) -> int:
        try:
            return int(self._state.read()["ports"][name])
        except (KeyError, TypeError) as error:
            raise StackFailed(
                f"{self.title} in {self.dir} was never started: start it with `relay stack up`"
            ) from error

    def _run(
        self,
        command: list[str],
        *,
        environment: Mapping[str, str] | None = None,
        account: pwd.struct_passwd | None = None,
    ) -> subprocess.Popen[bytes]:
        """Starts `command` in the server's folder, with its output in the server's log."""
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        if not self.outlive:
            environment = {
                **(os.environ if environment is None else environment),
                **watchdog.mark(),
            }
        return spawn(command, log=self.log, cwd=self.dir, environment=environment, account=account)

    def _remember_process(self, pid: int) -> None:
        try:
            identity = ProcessId.of(pid, self.marker)
        except psutil.NoSuchProcess:
            self._state.update(process=None)
            return
        self._state.update(process=asdict(identity))
        if not self.outlive:
            watchdog.guard(identity)

    def _forget_process(self) -> None:
        if self._child is not None:
            self._child.wait()
            self._child = None
        if self._state.file.exists():
            self._state.update(process=None)
        self._end_strays()

    def _end_strays(self) -> None:
        # Processes that the state does not know: the file was deleted, or whoever started them
        # was killed before it was written, or they lost their parent.
        for stray in working_in(self.dir, self.program):
            kill_family(stray)

    def _refuse_foreign_folder(self) -> None:
        # An interrupted start may have left the draft of the first state only.
        if (
            self.dir.exists()
            and not self._state.file.exists()
            and any(path != self._state.draft for path in self.dir.iterdir())
        ):
            raise StackFailed(
                f"{self.dir} holds files that are not {self.title}'s: choose another place "
                "with --dir"
            )

    def _choose_ports(self) -> None:
        stored = self._state.read().get("ports")
        self._ports_are_new = stored is None
        if stored is None:
            chosen: set[int] = set()
            while len(chosen) < len(self.port_names):
                chosen.add(ports.free_port())
            self._state.update(ports=dict(zip(self.port_names, chosen, strict=True)))
            return
        for port in stored.values():
            if not ports.is_free(port):
                raise StackFailed(
                    f"port {port}, which {self.title} in {self.dir} always uses, is taken by "
                    f"{ports.describe_listener(port)}: end that process, or discard the stack "
                    "with `relay stack up --fresh`"
                )

    def _new_log(self) -> str:
        with contextlib.suppress(FileNotFoundError), self.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace")
        return ""

    def _exit_failure(self, log: str) -> StackFailed:
        return StackFailed(explain_exit(self.title, self.log, log, self.fatal_line))
