"""Identifying the process that was started."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from relay.local.process import ProcessId, kill_family, spawn, working_in
from tests.stack import until

_WAIT = "import sys; sys.stdin.read(); import time; time.sleep(600)"


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = spawn(
        [sys.executable, "-c", _WAIT, "marked-words"], log=tmp_path / "log", cwd=tmp_path
    )
    # It has no words while the kernel replaces the child by its program.
    until(lambda: psutil.Process(process.pid).cmdline())
    yield process
    process.kill()
    process.wait()


def test_a_running_process_is_identified_by_pid_start_and_marker(
    sleeper: subprocess.Popen[bytes],
) -> None:
    identity = ProcessId.of(sleeper.pid, "marked-words")

    found = identity.process()

    assert found is not None
    assert found.pid == sleeper.pid


def test_a_reused_pid_is_not_taken_for_the_process(
    sleeper: subprocess.Popen[bytes],
) -> None:
    identity = ProcessId.of(sleeper.pid, "marked-words")

    assert replace(identity, started=identity.started - 60).process() is None
    assert replace(identity, marker="other-words").process() is None


def test_a_dead_process_that_nobody_has_reaped_is_not_running(
    sleeper: subprocess.Popen[bytes],
) -> None:
    identity = ProcessId.of(sleeper.pid, "marked-words")

    sleeper.kill()

    until(lambda: identity.process() is None, what="the zombie is not taken for alive")


def test_processes_are_found_by_their_working_folder(
    sleeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    assert [found.pid for found in working_in(tmp_path, "marked-words")] == [sleeper.pid]
    assert working_in(tmp_path / "elsewhere", "marked-words") == []
    assert working_in(tmp_path, "other-words") == []


def test_killing_a_family_leaves_no_child(tmp_path: Path) -> None:
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_WAIT!r}, 'a-child'])"
    parent = spawn([sys.executable, "-c", nested], log=tmp_path / "log", cwd=tmp_path)
    child = until(lambda: [p for p in working_in(tmp_path, "a-child") if p.pid != parent.pid])

    process = ProcessId.of(parent.pid, "").process()
    assert process is not None
    kill_family(process)

    parent.wait()
    until(lambda: not working_in(tmp_path, "a-child"), what=f"{child} is gone")


_STARTS_MARKED = """
import os, subprocess, sys, time
from relay.local import watchdog
child = subprocess.Popen(
    [sys.executable, "-c", "import time; time.sleep(600)"],
    env={**os.environ, **watchdog.mark()},
    start_new_session=True,
)
print(child.pid, flush=True)
time.sleep(600)
"""


def test_a_marked_process_is_killed_when_its_parent_was_killed() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _STARTS_MARKED], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))

    parent.kill()
    parent.communicate()

    try:
        until(lambda: not child.is_running(), what="the orphan is killed")
    finally:
        with suppress(psutil.NoSuchProcess):
            child.kill()
