"""`relay run`: publishes what is in the outbox."""

from __future__ import annotations

from typing import Annotated

import typer

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

    A server that is unavailable is waited for, at the start as well. SIGTERM or Ctrl-C ends it:
    open transactions are finished and the shards handed over.
    """
    import gc

    from relay.process.logs import configure_logging
    from relay.process.signals import stop_on_signals
    from relay.process.supervisor import supervise, watch_parent
    from relay.publish.worker import Worker
    from relay.settings import load_settings

    configure_logging("INFO")
    settings = load_settings()
    stop = stop_on_signals()
    watch_parent(stop)
    if workers > 1:
        commands = {f"worker {number}": ["run"] for number in range(workers)}
        raise typer.Exit(supervise(commands, until_idle=until_idle, stop=stop))
    # A batch is hundreds of thousands of small objects and none of them in a cycle: by default
    # the collector would look at them again and again, for a third of the time of building it.
    gc.set_threshold(100_000, 50, 100)
    Worker(settings, stop).run(until_idle)
