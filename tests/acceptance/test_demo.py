"""`make demo` in small: it ends by itself, proves what it says, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.stack import until

pytestmark = pytest.mark.skipif(
    os.environ.get("EVENT_BUS_TEST_STACK") == "containers", reason="the demo brings its own stack"
)

ROOT = Path(__file__).resolve().parents[2]


def start_demo(folder: Path, *words: str) -> subprocess.Popen[str]:
    """The demo with its temporary files in `folder`."""
    return subprocess.Popen(
        [sys.executable, "-m", "examples.shop.demo", *words],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def working_in(folder: Path) -> list[str]:
    """Command lines of the processes that work somewhere in `folder`."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


@pytest.mark.timeout(300)
def test_a_small_demo_loses_doubles_and_reorders_nothing_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    # When a small shop trades while a relay worker and a consumer are killed
    demo = start_demo(tmp_path, "--orders", "80", "--writers", "2")
    printed, _ = demo.communicate(timeout=280)

    # Then the demo is content
    assert demo.returncode == 0, printed
    assert printed.count("kill -9") == 2
    for line in ("lost │ 0", "duplicated │ 0", "out of order │ 0", "dead │ 2", "resolved │ 2"):
        assert line in " ".join(printed.split()), printed
    assert "resolved after" in printed
    # and nothing of it is left
    assert list(tmp_path.iterdir()) == []
    until(lambda: not working_in(tmp_path))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    # Given a demo whose first process is up
    demo = start_demo(tmp_path, "--orders", "80")
    until(lambda: working_in(tmp_path), timeout=60)

    # When somebody loses patience, and again while it is tidying up
    demo.send_signal(number)
    demo.send_signal(number)
    printed, _ = demo.communicate(timeout=60)

    assert demo.returncode == 130, printed
    assert "nothing is left running" in printed
    until(lambda: not working_in(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(120)
def test_a_killed_demo_leaves_nothing_running(tmp_path: Path) -> None:
    demo = start_demo(tmp_path, "--orders", "80")
    until(lambda: any("relay.cli.main" in line for line in working_in(tmp_path)), timeout=90)

    demo.kill()
    demo.communicate()

    until(lambda: not working_in(tmp_path), timeout=30)


@pytest.mark.timeout(300)
def test_a_demo_that_can_not_go_on_says_what_did_not_happen(tmp_path: Path) -> None:
    demo = start_demo(tmp_path, "--orders", "80", "--patience", "0")
    printed, _ = demo.communicate(timeout=280)

    assert demo.returncode == 1, printed
    assert "not ready after 0 s" in printed
    assert "logs are in" in printed
    until(lambda: not working_in(tmp_path))
