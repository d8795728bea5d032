"""`relay prune`: deletes old events, inbox rows and dead letters."""

from __future__ import annotations

from typing import Annotated

import typer

from relay.cli.output import JsonOption, print_json
from relay.settings import load_settings

__all__ = ["prune"]


def prune(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would go and what stays.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete events that are delivered, read by every group of the catalog and old enough.

    Whole months where the outbox is partitioned, single events otherwise; then inbox rows, settled
    dead letters and outcomes. What is not published, held, parked or dead stays, however old.
    Deletes nothing while Kafka is unavailable. The settings EVENT_BUS_RETENTION_DAYS,
    EVENT_BUS_INBOX_RETENTION_DAYS and EVENT_BUS_PRUNED_RETENTION_DAYS say what is old.
    """
    from relay.operate.prune.run import prune as run

    report = run(
        load_settings(),
        dry_run=dry_run,
        say=lambda part: typer.echo(part.line()) if not as_json else None,
    )
    if as_json:
        print_json(report.to_json())
    elif dry_run:
        typer.echo("nothing was deleted (--dry-run)", err=True)
