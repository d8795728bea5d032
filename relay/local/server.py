"""What PostgreSQL, Kafka and the registry have in common as local servers."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import psutil

from relay.errors import StackFailed
from relay.local import ports, watchdog
from relay.local.process import ProcessId, kill_family, signal_family
from relay.local.settings import LocalSettings

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
    port_names: ClassVar[tuple[str, ...]] = ("port",)
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_timeout: ClassVar[float] = 30.0

    def __init__(self, dir: Path | str, *, outlive: bool = False) -> None:
        self.dir = Path(dir).absolute()
        self.outlive = outlive
        self.log = self.dir / "server.log"
        self._state_file = self.dir / "server.json"
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
            self.dir.mkdir(parents=True, exist_ok=True)
            self._check_space()
            self._choose_ports()
            self._prepare()
            self._log_start = self.log.stat().st_size if self.log.exists() else 0
            self._child = self._spawn()
        except OSError as error:
            raise StackFailed(self._explain_os_error(error)) from error
        self._remember_process(self._child.pid)

    def await_ready(self, timeout: float | None = None) -> None:
        """Waits until the server answers; timeout: seconds, by default as the settings say."""
        deadline = time.monotonic() + (timeout or LocalSettings().start_timeout_seconds)
        choices = 1
        while not self._answers():
            if self.process is None:
                if self._ports_are_new and choices < _PORT_CHOICES and self._lost_its_port():
                    choices += 1
                    self._update_state(ports=None)
                    self.launch()
                    continue
                raise StackFailed(self._explain_exit())
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
            process.send_signal(self.stop_signal)
            try:
                process.wait(self.stop_timeout)
            except psutil.TimeoutExpired:
                kill_family(process)
        self._forget_process()

    def kill(self) -> None:
        """SIGKILL to the server and all of its children at one go, as a crash."""
        process = self.process
        if process is not None:
            kill_family(process)
        self._forget_process()

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

    def __enter__(self) -> LocalServer:
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
        stored = self._state().get("process")
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
        ports_by_name: dict[str, int] = self._state().get("ports", {})
        return ports_by_name.get(self.port_names[0])

    def _port(self, name: str) -> int:
        try:
            return int(self._state()["ports"][name])
        except (KeyError, TypeError) as error:
            raise StackFailed(
                f"{self.title} in {self.dir} was never started: start it with `relay stack up`"
            ) from error

    # --- state ---------------------------------------------------------------------------

    def _state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads(self._state_file.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise StackFailed(
                f"{self._state_file} can't be read: {error}. If the stack may be thrown away, "
                "run `relay stack up --fresh`"
            ) from error
        return state

    def _update_state(self, **values: Any) -> None:
        state = {k: v for k, v in {**self._state(), **values}.items() if v is not None}
        draft = self._state_file.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(state, file)
        draft.replace(self._state_file)

    def _remember_process(self, pid: int) -> None:
        try:
            identity = ProcessId.of(pid, self.marker)
        except psutil.NoSuchProcess:
            self._update_state(process=None)
            return
        self._update_state(process=asdict(identity))
        if not self.outlive:
            watchdog.guard(identity)

    def _forget_process(self) -> None:
        if self._child is not None:
            self._child.wait()
            self._child = None
        if self._state_file.exists():
            self._update_state(process=None)

    def _choose_ports(self) -> None:
        stored = self._state().get("ports")
        self._ports_are_new = stored is None
        if stored is None:
            chosen: dict[str, int] = {}
            for name in self.port_names:
                port = ports.free_port()
                while port in chosen.values():
                    port = ports.free_port()
                chosen[name] = port
            self._update_state(ports=chosen)
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
        except OSError:
            return ""

    def _lost_its_port(self) -> bool:
        return "ddress already in use" in self._new_log()

    def _check_space(self) -> None:
        free = psutil.disk_usage(str(self.dir)).free
        if free < _FREE_BYTES_NEEDED:
            raise OSError(errno.ENOSPC, f"{free // 2**20} MB free, 300 MB needed", str(self.dir))

    def _explain_os_error(self, error: OSError) -> str:
        where = error.filename or self.dir
        if error.errno == errno.ENOSPC:
            return (
                f"{self.title} can't start, the disk is full at {where} ({error.strerror}): "
                "free some space, or choose another disk with --dir"
            )
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return (
                f"{self.title} can't start, {where} can't be used ({error.strerror}): "
                "give yourself the right to it, or choose another place with --dir"
            )
        return f"{self.title} in {self.dir} can't start: {error}"

    def _explain_exit(self) -> str:
        log = self._new_log()
        advice = self._explain(log)
        if not advice and "No space left on device" in log:
            advice = "the disk is full: free some space, or choose another disk with --dir"
        if not advice and "ddress already in use" in log:
            advice = "a port of it is taken: end the other program, or `relay stack up --fresh`"
        last = next((line for line in reversed(log.splitlines()) if line.strip()), "nothing")
        return (
            f"{self.title} in {self.dir} ended while it started: "
            f"{advice or f'its last words were {last!r}'}. Its log is {self.log}"
        )
