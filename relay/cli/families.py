"""Which module serves which command; a module is imported only when its command is used."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

from relay.cli.extras import missing_extra

__all__ = ["add_to"]

# command -> module that exports `app` (a group of commands) or `command` (a single one)
GROUPS = {
    "stack": "relay.cli.stack",
    "schemas": "relay.cli.schemas",
    "registry": "relay.cli.registry",
    "event": "relay.cli.event",
    "dlq": "relay.cli.dlq",
}
COMMANDS = {
    "migrate": "relay.cli.migrate",
    "run": "relay.cli.run",
    "consume": "relay.cli.consume",
    "reconcile": "relay.cli.reconcile",
    "status": "relay.cli.status",
    "verify": "relay.cli.verify",
    "recover": "relay.cli.recover",
    "doctor": "relay.cli.doctor",
    "bench": "relay.cli.bench",
}


def add_to(app: typer.Typer) -> None:
    """Registers the command families: the one in use, or all when help is asked for.

    Raises ModuleNotFoundError where the one in use needs an extra that is not installed. Among
    all of them it is listed with what it needs.
    """
    asked = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    if asked in GROUPS or asked in COMMANDS:
        _add(app, asked)
        return
    for name in [*GROUPS, *COMMANDS]:
        try:
            _add(app, name)
        except ModuleNotFoundError as error:
            if (words := missing_extra(error)) is None:
                raise
            # An extra in brackets would be taken for a style.
            shown = words.replace("[", r"\[")
            app.command(name, help=f"Not available: {shown}.")(_not_available)


def _add(app: typer.Typer, name: str) -> None:
    if name in GROUPS:
        app.add_typer(import_module(GROUPS[name]).app, name=name)
    else:
        app.command(name)(import_module(COMMANDS[name]).command)


def _not_available() -> None:
    """Stands in the list for a command; the command itself ends before it."""
