"""The command `relay`: which function runs a command, and how an expected failure ends it."""

from __future__ import annotations

import sys
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from relay.cli.failures import explain, missing_library
from relay.errors import RelayError

if TYPE_CHECKING:
    import typer

__all__ = ["COMMANDS", "main"]


# Name -> module:name of the function, or of the Typer app for a group of commands, which is
# imported only when the command is used; the extra that brings the libraries it needs; its line in
# `relay --help`.
COMMANDS = {
    "stack": ("stack:app", "local", "Run PostgreSQL, Kafka and the registry locally."),
    "migrate": ("setup:migrate", "worker", "Create or update the tables and the topics."),
    "schemas": ("schemas:app", "cli", "Check, review, register and export schemas."),
    "registry": ("processes:registry", "registry", "Run the embedded schema registry."),
    "run": ("processes:run", "worker", "Publish committed events to Kafka, in order."),
    "consume": ("processes:consume", "worker", "Run consumer groups."),
    "reconcile": ("processes:reconcile", "worker", "Bring outcomes back to the outbox."),
    "status": ("operate:status", "worker", "Show how far shards and groups lag."),
    "event": ("operate:event", "worker", "Show what happened to an event."),
    "dlq": ("dlq:app", "worker", "List, replay and discard dead letters."),
    "parked": ("parked:app", "worker", "List, retry and skip parked events."),
    "verify": ("operate:verify", "worker", "Compare the outbox with the topics."),
    "prune": ("prune:prune", "worker", "Delete what nobody needs any more."),
    "doctor": ("operate:doctor", "worker", "Check settings, servers and the outbox."),
    "recover": ("setup:recover", "worker", "Continue after a restore or a failover."),
    "bench": ("bench:command", "local", "Measure throughput, latency and memory."),
}


def main() -> None:
    """Runs the command line; an expected failure is one line on standard error."""
    try:
        _app(next((word for word in sys.argv[1:] if not word.startswith("-")), None))()
    except RelayError as error:
        print(f"relay: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except Exception as error:
        if (explanation := explain(error)) is None:
            raise
        print(f"relay: {explanation}", file=sys.stderr)
        raise SystemExit(2) from None


def _app(name: str | None) -> typer.Typer:
    """Returns the app with the command `name`; if there is no such command, a list of all.

    Raises ModuleNotFoundError if the command needs a library that is not installed.
    """
    import typer

    app = typer.Typer(
        name="relay", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
    )
    app.callback()(_relay)
    if name in COMMANDS:
        place, *_ = COMMANDS[name]
        found = resolve_name(f"relay.cli.{place}")
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    else:
        for listed, (_, extra, line) in COMMANDS.items():
            problem = missing_library(extra)
            # Rich would take an extra in brackets for a style.
            unavailable = problem and f"Not available: {problem}.".replace("[", r"\[")
            app.command(listed, help=unavailable or line)(_listed)
    return app


def _relay() -> None:
    """Publish what services write to the outbox to Kafka, in order, exactly once."""


def _listed() -> None:
    """Stands for a command in the list of all; a command that is used is imported instead."""


if __name__ == "__main__":
    main()
