"""`relay registry`: the embedded schema registry."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(help="The embedded schema registry.", no_args_is_help=True)


@app.callback()
def family() -> None:
    """The embedded schema registry."""


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="port to listen on, 0 for a free one", min=0, max=65535)
    ] = 8081,
    database_url: Annotated[
        str | None, typer.Option(help="instead of EVENT_BUS_DATABASE_URL")
    ] = None,
) -> None:
    """Serves Confluent's Schema Registry API over the relay's database until SIGTERM."""
    from relay.registry import serve as run
    from relay.settings import load_settings

    if database_url is None:
        # The registry needs no broker, so none need be configured.
        database_url = load_settings(kafka_bootstrap_servers="-").database_url
    run(database_url, host, port)
