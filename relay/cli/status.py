"""`relay status`: how things stand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from relay.operate.status import RelayStatus

__all__ = ["command"]


def command(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Show what is not published yet, and how far shards and consumer groups are behind."""
    from relay.operate.status import read_status
    from relay.postgres.connect import connect
    from relay.settings import load_settings

    settings = load_settings()
    with connect(settings.database_url, application_name="relay status") as connection:
        status = read_status(settings, connection)
    if as_json:
        typer.echo(json.dumps(status.to_json()))
    else:
        _print(status)


def _print(status: RelayStatus) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    outbox = status.outbox
    age = outbox.oldest_undelivered_seconds
    waiting = "" if age is None else f", the oldest for {age:.1f} s"
    console.print(
        f"{outbox.events:,} events, {outbox.undelivered:,} not published{waiting}, "
        f"{outbox.dead:,} dead"
    )
    shards = Table("shard", "lag", "worker")
    for shard in status.shards:
        owner = shard.worker or "none yet"
        if shard.unowned_seconds is not None:
            owner = f"none for {shard.unowned_seconds:,.0f} s, before that {owner}"
        shards.add_row(str(shard.shard), f"{shard.lag:,}", owner)
    console.print(shards)
    groups = Table("group", "lag", "parked", "dead")
    for group in status.groups:
        groups.add_row(group.group, *(f"{n:,}" for n in (group.lag, group.parked, group.dead)))
    console.print(groups)
