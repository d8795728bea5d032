"""Starts, identifies and ends processes that outlive the command that started them."""

from __future__ import annotations

import pwd
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

__all__ = [
    "ProcessId",
    "family",
    "kill_family",
    "signal_family",
    "spawn",
    "wait_until_dead",
    "working_in",
]

# Start times are derived from the boot time, which clock corrections move a little.
_START_TOLERANCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ProcessId:
    """Identifies a process even if its pid is reused.

    started: seconds since the epoch.
    marker: words of its command line that no other program has, e.g. its data directory.
    """

    pid: int
    started: float
    marker: str

    @classmethod
    def of(cls, pid: int, marker: str) -> ProcessId:
        """Returns the identity of the running process `pid`; raises psutil.NoSuchProcess."""
        return cls(pid, psutil.Process(pid).create_time(), marker)

    def process(self) -> psutil.Process | None:
        """Returns the process while it is alive and is this one, else None."""
        try:
            process = psutil.Process(self.pid)
            with process.oneshot():
                words = " ".join(process.cmdline())
                same = (
                    process.status() != psutil.STATUS_ZOMBIE
                    and abs(process.create_time() - self.started) < _START_TOLERANCE_SECONDS
                    # Empty while the kernel replaces the child by its program.
                    and (self.marker in words or not words)
                )
        except psutil.Error:
            return None
        return process if same else None


def spawn(
    command: list[str],
    *,
    log: Path,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    account: pwd.struct_passwd | None = None,
) -> subprocess.Popen[bytes]:
    """Starts `command` in a new session, with its output appended to `log`.

    account: to run as; None: the caller's. Raises OSError.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=environment,
            start_new_session=True,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )


def family(process: psutil.Process) -> list[psutil.Process]:
    """Returns `process` and all of its living descendants, itself first."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return [process]


def signal_family(process: psutil.Process, number: signal.Signals) -> None:
    """Sends `number` to `process` and all of its descendants."""
    _send(family(process), number)


def working_in(folder: Path, program: str) -> list[psutil.Process]:
    """Finds live processes whose command line matches the regular expression `program` and whose
    working folder is in `folder`."""
    found = []
    for process in psutil.process_iter():
        try:
            if (
                Path(process.cwd()).is_relative_to(folder)
                and re.search(program, " ".join(process.cmdline()))
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(process)
        except psutil.Error:
            continue
    return found


def kill_family(process: psutil.Process, timeout: float = 10.0) -> None:
    """Sends SIGKILL to `process` and all of its descendants at once, like a crash of the machine.

    It is frozen first, so that it neither starts children nor notices that some are gone.
    timeout: seconds to wait until all of them are dead.
    """
    _send([process], signal.SIGSTOP)
    members = family(process)
    _send(members, signal.SIGKILL)
    deadline = time.monotonic() + timeout
    for member in members:
        wait_until_dead(member, deadline - time.monotonic())


def wait_until_dead(process: psutil.Process, timeout: float) -> bool:
    """Returns True once `process` is dead, reaped or not; False after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while _lives(process):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.005)
    return True


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _lives(process: psutil.Process) -> bool:
    # A zombie is dead; reaping it is its parent's business.
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
