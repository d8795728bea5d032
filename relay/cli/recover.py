"""`relay recover`: goes on after a restore, a failover or a lost positions topic."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["command"]


def command(
    yes: Annotated[bool, typer.Option("--yes", help="Act without asking.")] = False,
) -> None:
    """Say what keeps the relay from going on, ask, then set it right.

    For a database that was restored, copied or promoted, another Kafka cluster, or lost positions.
    Stop all workers first. What is published already is found in the topics and not published
    again; the next `relay run` publishes the rest.
    """
    from relay.postgres.connect import connect
    from relay.publish.takeover.recover import inspect, recover
    from relay.settings import load_settings

    settings = load_settings()
    with connect(settings.database_url, application_name="relay recover") as connection:
        found = inspect(settings, connection)
        for line in found.notes:
            typer.echo(f"- {line}")
        if found.sound:
            typer.echo("nothing to recover: database, Kafka and positions belong together")
            return
        for line in found.words:
            typer.echo(f"- {line}")
        if not yes and not typer.confirm("Go ahead?"):
            raise typer.Exit(1)
        recover(settings, connection, found)
    typer.echo("done; start the workers with `relay run`, then check with `relay verify`")
