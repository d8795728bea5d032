"""`relay reconcile`: brings the outcomes of dead letters back to the outbox."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["command"]


def command(
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="End when every dead-letter topic is read.")
    ] = False,
) -> None:
    """Write what became of events in consumer groups to their outbox rows."""
    from relay.consume.dead_letters.reconciler import reconcile
    from relay.process.logs import configure_logging
    from relay.process.signals import stop_on_signals
    from relay.settings import load_settings

    settings = load_settings()
    configure_logging()
    reconcile(settings, until_idle=until_idle, stop=stop_on_signals())
