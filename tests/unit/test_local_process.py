"""Which process is really the one that was started."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from relay.local.process import ProcessId, kill_family, spawn, working_in
from tests.stack import until

_WAIT = "import sys; sys.stdin.read(); import time; time.sleep(600)"


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = spawn(
        [sys.executable, "-c", _WAIT, "marked-words"], log=tmp_path / "log", cwd=tmp_path
    )
    yield process
    process.kill()
    process.wait()


def test_a_running_process_is_known_by_number_start_and_words(
    sleeper: subprocess.Popen[bytes],
) -> None:
    identity = ProcessId.of(sleeper.pid, "marked-words")

    found = identity.process()

    assert found is not None
    assert found.pid == sleeper.pid


def test_a_number_that_went_to_another_process_is_not_taken_for_ours(
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


def test_processes_are_found_by_where_they_work(
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
