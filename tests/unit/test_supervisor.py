"""When the supervisor restarts a process, and when it ends all."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from relay.process import supervisor
from relay.process.backoff import Backoff
from tests.stack import until

SOUND_S = 1.0


class Supervised:
    """A supervisor in a thread of its own, of small programs."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.status: int | None = None

    def start(self, programs: Mapping[str, Sequence[str]]) -> None:
        def run() -> None:
            self.status = supervisor.supervise(programs, until_idle=False, stop=self.stop)

        self.thread = threading.Thread(target=run)
        self.thread.start()


@pytest.fixture
def supervised(monkeypatch: pytest.MonkeyPatch) -> Supervised:
    def start(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", *arguments])

    monkeypatch.setattr(supervisor, "_start", start)
    monkeypatch.setattr(supervisor, "SOUND_S", SOUND_S)
    pause = timedelta(seconds=0.05)
    monkeypatch.setattr(supervisor, "BACKOFF", Backoff(initial=pause, maximum=pause))
    return Supervised()


def test_bad_configuration_at_the_start_ends_all(supervised: Supervised) -> None:
    supervised.start({"works": ["import time; time.sleep(60)"], "bad": ["raise SystemExit(2)"]})
    supervised.thread.join(20)
    assert supervised.status == 2


def test_a_process_that_ends_with_2_never_ends_those_that_work(
    supervised: Supervised, tmp_path: Path
) -> None:
    # Given a process that works, and one that fails at once and from some time on ends with 2
    ends = tmp_path / "ends"
    fails = (
        f"import time; status = 2 if time.time() > {time.time() + 2 * SOUND_S} else 1; "
        f"open({str(ends)!r}, 'a').write(str(status)); raise SystemExit(status)"
    )
    supervised.start({"works": ["import time; time.sleep(60)"], "fails": [fails]})
    # Then it is started again and again
    until(lambda: ends.exists() and ends.read_text().count("2") > 2)
    assert supervised.status is None
    supervised.stop.set()
    supervised.thread.join(20)
    assert supervised.status == 0


def test_a_process_that_was_ended_by_itself_is_replaced(
    supervised: Supervised, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    supervised.start({"one": [f"open({str(starts)!r}, 'a').write('x')"]})
    until(lambda: starts.exists() and len(starts.read_text()) > 1)
    supervised.stop.set()
    supervised.thread.join(20)
    assert supervised.status == 0
