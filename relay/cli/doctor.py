"""`relay doctor`: the settings with their sources, and whether everything is as it should be."""

from __future__ import annotations

import json
from typing import Annotated

import typer

__all__ = ["command"]

_COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


def command(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Print all settings with their sources, and check everything that the relay needs.

    Changes nothing. Ends with 1 when a check fails, with 2 when the settings can't be used.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from relay.operate.doctor import examine
    from relay.operate.settings_sources import describe_settings
    from relay.settings import load_settings

    settings = load_settings()
    described = list(describe_settings(settings))
    console = Console()
    checks = []
    if not as_json:
        table = Table("setting", "value", "from")
        for setting in described:
            table.add_row(setting.name, escape(setting.value), setting.source)
        console.print(table)
    for check in examine(settings):
        checks.append(check)
        if not as_json:
            color = _COLORS[check.level]
            console.print(
                f"[{color}]{check.level:4}[/] {check.check}: {escape(check.message)}",
                highlight=False,
                soft_wrap=True,
            )
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "settings": [
                        {"name": s.name, "value": s.value, "source": s.source} for s in described
                    ],
                    "checks": [check.to_json() for check in checks],
                }
            )
        )
    if any(check.level == "fail" for check in checks):
        raise typer.Exit(1)
