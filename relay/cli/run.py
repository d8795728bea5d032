"""`relay run`: publishes what is in the outbox."""

from __future__ import annotations

import gc
import signal
import sys
from typing import Annotated

import typer

from relay.cli.signals import configure_logging
from relay.publish.supervisor import Supervisor
from relay.publish.worker import Worker
from relay.settings import load_settings

__all__ = ["command"]


def command(
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Worker processes on this machine.")
    ] = 1,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="End once nothing is left to publish.")
    ] = False,
) -> None:
    """Publish committed events to Kafka, in order per aggregate.

    SIGTERM or Ctrl-C ends it: open transactions are finished and the shards handed over.
    """
    configure_logging("INFO")
    settings = load_settings()
    runner: Worker | Supervisor
    if workers == 1:
        # A batch is hundreds of thousands of small objects and none of them in a cycle: by default
        # the collector would look at them again and again, for a third of the time of building it.
        gc.set_threshold(100_000, 50, 100)
        worker = runner = Worker(settings)
        _on_signals(runner)
        worker.run(until_idle)
        return
    runner = supervisor = Supervisor(
        [sys.executable, "-m", "relay.cli.main", "run", *(["--until-idle"] if until_idle else [])],
        workers,
    )
    _on_signals(runner)
    raise SystemExit(supervisor.run())


def _on_signals(runner: Worker | Supervisor) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: runner.stop())
