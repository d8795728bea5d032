"""Which module serves which command; a module is imported only when its command is used."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

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
    """Registers the command families: the one in use, or all when help is asked for."""
    asked = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    chosen = {asked} if asked in GROUPS or asked in COMMANDS else GROUPS.keys() | COMMANDS.keys()
    for name, module in GROUPS.items():
        if name in chosen:
            app.add_typer(import_module(module).app, name=name)
    for name, module in COMMANDS.items():
        if name in chosen:
            app.command(name)(import_module(module).command)
