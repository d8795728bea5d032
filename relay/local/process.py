"""Processes that outlive the command that started them, and are never mistaken for others."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from relay.local.user import Account

__all__ = [
    "ProcessId",
    "family",
    "kill_family",
    "signal_family",
    "spawn",
    "wait_until_dead",
    "working_in",
]

# Start times are derived from the boot time, which the clock's corrections move a little.
_START_TOLERANCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process across the reuse of its number.

    pid: its number. started: seconds since the epoch.
    marker: words of its command line that no other program has, e.g. its data directory.
    """

    pid: int
    started: float
    marker: str

    @classmethod
    def of(cls, pid: int, marker: str) -> ProcessId:
        """The identity of the running process `pid`; raises psutil.NoSuchProcess."""
        return cls(pid, psutil.Process(pid).create_time(), marker)

    def process(self) -> psutil.Process | None:
        """The process while it is alive and really this one, else None."""
        try:
            process = psutil.Process(self.pid)
            with process.oneshot():
                words = " ".join(process.cmdline())
                same = (
                    process.status() != psutil.STATUS_ZOMBIE
                    and abs(process.create_time() - self.started) < _START_TOLERANCE_SECONDS
                    # Empty for a moment while the kernel replaces the child by its program.
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
    environment: dict[str, str] | None = None,
    account: Account | None = None,
) -> subprocess.Popen[bytes]:
    """Starts `command` in a session of its own, its output appended to `log`.

    account: whom it runs as; None: as the caller. Raises OSError.
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
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )


def family(process: psutil.Process) -> list[psutil.Process]:
    """`process` and all of its descendants, itself first; those already gone are left out."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return [process]


def signal_family(process: psutil.Process, number: signal.Signals) -> None:
    """Sends `number` to `process` and all of its descendants."""
    for member in family(process):
        try:
            member.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def working_in(folder: Path, program: str) -> list[psutil.Process]:
    """Live processes whose command line matches `program` and whose working folder is in `folder`.

    program: a regular expression.
    """
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
    """SIGKILL to `process` and all of its descendants at one go, as a crash of the machine.

    It is frozen first, so that it neither starts new children nor notices that some are gone.
    timeout: seconds to wait until all of them have disappeared.
    """
    try:
        process.send_signal(signal.SIGSTOP)
    except psutil.NoSuchProcess:
        return
    members = family(process)
    for member in members:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    deadline = time.monotonic() + timeout
    for member in members:
        wait_until_dead(member, deadline - time.monotonic())


def wait_until_dead(process: psutil.Process, timeout: float) -> bool:
    """True as soon as `process` is dead, reaped or not; False when `timeout` seconds are over."""
    deadline = time.monotonic() + timeout
    while _lives(process):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.005)
    return True


def _lives(process: psutil.Process) -> bool:
    # A zombie is dead already; who reaps it, and when, is its parent's affair.
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
