"""The command `relay` with its families of commands."""

from __future__ import annotations

import typer

from relay.cli import families

__all__ = ["app"]

app = typer.Typer(
    name="relay",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def relay() -> None:
    """Publishes what services write to the outbox to Kafka, in order, exactly once."""


families.add_to(app)
