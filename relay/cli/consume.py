"""`relay consume`: runs consumer groups."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["command"]


def command(
    group: Annotated[
        list[str] | None, typer.Argument(help="Groups to run; all of EVENT_BUS_CONSUMERS without.")
    ] = None,
    until_idle: Annotated[
        bool,
        typer.Option(
            "--until-idle",
            help="End when everything is read, nothing is parked, and dead letters are sent.",
        ),
    ] = False,
) -> None:
    """Run consumer groups: one in this process, several in a process each."""
    from relay.consume.discover import choose, discover
    from relay.consume.worker import consume
    from relay.process.logs import configure_logging
    from relay.process.signals import stop_on_signals
    from relay.process.supervisor import supervise, watch_parent
    from relay.schema.client.client import RegistryClient
    from relay.settings import load_settings

    settings = load_settings()
    chosen = choose(discover(settings.consumers), group or ())
    configure_logging()
    stop = stop_on_signals()
    watch_parent(stop)
    if len(chosen) > 1:
        commands = {f"group {group.name}": ["consume", group.name] for group in chosen}
        raise typer.Exit(supervise(commands, until_idle=until_idle, stop=stop))
    schemas = RegistryClient(settings.schema_registry_url)
    consume(settings, chosen[0], schemas, until_idle=until_idle, stop=stop)
