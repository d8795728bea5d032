"""What PostgreSQL, Kafka and the registry have in common as local servers."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from dataclasses import asdict
from pathlib import Path
from typing import ClassVar, Self

import psutil

from relay.errors import StackFailed
from relay.local import ports, watchdog
from relay.local.failures import check_space, explain_exit, explain_os_error, lost_its_port
from relay.local.process import ProcessId, kill_family, signal_family, wait_until_dead, working_in
from relay.local.settings import LocalSettings
from relay.local.state import StateFile

__all__ = ["LocalServer"]

_POLL_SECONDS = 0.01
_PORT_CHOICES = 3
_FREE_BYTES_NEEDED = 300 * 1024 * 1024


class LocalServer(ABC):
    """One server with a folder, ports that it keeps for life, and a process that may be killed.

    dir: everything of this server: data, log, and `server.json` with its ports and process.
    outlive: True lets it go on when the calling process ends; by default it is then killed,
    whatever way the caller ended.
    One thread at a time may use an instance; several processes may, on the same folder, as long
    as they do not start or stop it at once.
    """

    title: ClassVar[str]
    program: ClassVar[str]  # regular expression: the command lines of all its processes
    port_names: ClassVar[tuple[str, ...]] = ("port",)
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_timeout: ClassVar[float] = 30.0

    def __init__(self, dir: Path | str, *, outlive: bool = False) -> None:
        self.dir = Path(dir).resolve()
        self.outlive = outlive
        self.log = self.dir / "server.log"
        self._state = StateFile(self.dir / "server.json")
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._ports_are_new = False

    # --- what a kind of server decides ---------------------------------------------------

    @property
    @abstractmethod
    def marker(self) -> str:
        """Words of the command line by which the process is known as this server."""

    @abstractmethod
    def _prepare(self) -> None:
        """Makes what the first start needs; called before every start."""

    @abstractmethod
    def _spawn(self) -> subprocess.Popen[bytes]:
        """Starts the process."""

    @abstractmethod
    def _answers(self) -> bool:
        """True when the server does its work."""

    def _explain(self, log: str) -> str:  # noqa: ARG002
        """Advice for what the log says, or nothing."""
        return ""

    # --- life ----------------------------------------------------------------------------

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
            self._mark_log()
            self._child = self._spawn()
        except OSError as error:
            raise StackFailed(explain_os_error(self.title, self.dir, error)) from error
        self._remember_process(self._child.pid)

    def await_ready(self, timeout: float | None = None) -> None:
        """Waits until the server answers; timeout: seconds, by default as the settings say."""
        deadline = time.monotonic() + (timeout or LocalSettings().start_timeout_seconds)
        choices = 1
        while not self._answers():
            if self.process is None:
                if (
                    self._ports_are_new
                    and choices < _PORT_CHOICES
                    and lost_its_port(self._new_log())
                ):
                    choices += 1
                    self._state.update(ports=None)
                    self.launch()
                    continue
                raise self._exit_failure()
            if time.monotonic() > deadline:
                raise StackFailed(
                    f"{self.title} in {self.dir} runs but does not answer on port {self.port}. "
                    f"Its log is {self.log}; end it with `relay stack down` and try again"
                )
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Ends the server in good order, by force when it does not obey within its time."""
        process = self.process
        if process is not None:
            signal_family(process, signal.SIGCONT)
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(self.stop_signal)
            if not wait_until_dead(process, self.stop_timeout):
                kill_family(process)
        self._forget_process()
        self._end_strays()

    def discard(self) -> None:
        """Kills the server and removes its folder; works whatever state that is in."""
        self._refuse_foreign_folder()
        try:
            self.kill()
        except StackFailed:
            # The state can't be read, but the processes are still known by where they work.
            self._end_strays()
        try:
            shutil.rmtree(self.dir, ignore_errors=not self.dir.exists())
        except OSError as error:
            raise StackFailed(explain_os_error(self.title, self.dir, error)) from error

    def kill(self) -> None:
        """SIGKILL to the server and all of its children at one go, as a crash."""
        process = self.process
        if process is not None:
            kill_family(process)
        self._forget_process()
        self._end_strays()

    def pause(self) -> None:
        """Freezes the server and all of its children (SIGSTOP); connections stay open."""
        if (process := self.process) is not None:
            signal_family(process, signal.SIGSTOP)

    def resume(self) -> None:
        """Undoes `pause` (SIGCONT)."""
        if (process := self.process) is not None:
            signal_family(process, signal.SIGCONT)

    def restart(self) -> None:
        """Stops and starts the server: same ports, same data."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- what is known -------------------------------------------------------------------

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
        """As `port`, None when the server was never started."""
        ports_by_name: dict[str, int] = self._state.read().get("ports", {})
        return ports_by_name.get(self.port_names[0])

    def _port(self, name: str) -> int:
        try:
            return int(self._state.read()["ports"][name])
        except (KeyError, TypeError) as error:
            raise StackFailed(
                f"{self.title} in {self.dir} was never started: start it with `relay stack up`"
            ) from error

    # --- process and ports -----------------------------------------------------------------

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

    def _end_strays(self) -> None:
        # Processes that the state does not know: it was deleted under them, or whoever started
        # them was killed before it was written, or they lost their parent.
        for stray in working_in(self.dir, self.program):
            kill_family(stray)

    def _refuse_foreign_folder(self) -> None:
        if self.dir.exists() and not self._state.file.exists() and any(self.dir.iterdir()):
            raise StackFailed(
                f"{self.dir} holds files that are not {self.title}'s: choose another place "
                "with --dir"
            )

    def _choose_ports(self) -> None:
        stored = self._state.read().get("ports")
        self._ports_are_new = stored is None
        if stored is None:
            chosen: dict[str, int] = {}
            for name in self.port_names:
                port = ports.free_port()
                while port in chosen.values():
                    port = ports.free_port()
                chosen[name] = port
            self._state.update(ports=chosen)
            return
        for port in stored.values():
            if not ports.is_free(port):
                raise StackFailed(
                    f"port {port}, which {self.title} in {self.dir} keeps for life, is taken by "
                    f"{ports.holder_of(port)}: end that, or give the stack up with "
                    "`relay stack up --fresh`"
                )

    # --- failures ------------------------------------------------------------------------

    def _new_log(self) -> str:
        try:
            with self.log.open("rb") as file:
                file.seek(self._log_start)
                return file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def _mark_log(self) -> None:
        self._log_start = self.log.stat().st_size if self.log.exists() else 0

    def _exit_failure(self) -> StackFailed:
        log = self._new_log()
        return StackFailed(explain_exit(self.title, self.log, log, self._explain(log)))
