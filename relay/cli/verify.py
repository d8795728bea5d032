"""`relay verify`: whether topics and outbox tell the same."""

from __future__ import annotations

import json
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Compare every event of the outbox with the topics: lost, twice, out of order, wrong flags.

    May run at any time, beside working relays too. Ends with 1 when something is wrong.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.table import Table

    from relay.operate.verify import verify
    from relay.settings import load_settings

    settings = load_settings()
    errors = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bar(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task("looking at the topics", total=None)
        report = verify(
            settings,
            lambda what, done, total: bar.update(
                task, description=what, completed=done, total=total or None
            ),
        )
    for line in report.problems():
        errors.print(line, markup=False, highlight=False, soft_wrap=True)
    if as_json:
        typer.echo(json.dumps(report.to_json()))
    else:
        table = Table("", "events", show_edge=False)
        table.columns[1].justify = "right"
        for name, count in report.to_json().items():
            table.add_row(name.replace("_", " "), f"{count:,}")
        Console().print(table)
        typer.echo(
            "Topics and outbox agree." if report.sound else "Topics and outbox do NOT agree."
        )
    if not report.sound:
        raise typer.Exit(1)
