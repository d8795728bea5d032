"""`relay schemas`: the catalog and what is generated from it."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from relay.cli import (
    schemas_check,
    schemas_diff,
    schemas_export,
    schemas_lint,
    schemas_register,
    schemas_review,
)
from relay.cli.schemas_files import say_stale, say_written
from relay.schema.catalog import Catalog
from relay.settings import load_settings

__all__ = ["app"]

app = typer.Typer(help="The catalog of event types and their schemas.", no_args_is_help=True)
app.command(name="check")(schemas_check.command)
app.command(name="diff")(schemas_diff.command)
app.command(name="lint")(schemas_lint.command)
schemas_review.add_to(app)
app.command(name="register")(schemas_register.command)
app.command(name="export")(schemas_export.command)


@app.command()
def generate(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 naming stale files.")
    ] = False,
) -> None:
    """Write the typed Python events of the schemas folder."""
    from relay.schema.codegen.generate import generate as write
    from relay.schema.codegen.generate import stale

    catalog = _catalog()
    if not check:
        say_written(write(catalog))
    elif say_stale(stale(catalog), "generated", "Run: relay schemas generate"):
        raise typer.Exit(1)


@app.command(name="list")
def list_schemas(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """List event types with their topic, versions and consumer groups."""
    catalog = _catalog()
    rows = [
        {
            "eventType": event_type.name,
            "domain": event_type.domain,
            "topic": event_type.topic,
            "aggregate": event_type.aggregate,
            "versions": [
                {
                    "version": version.version,
                    "state": version.state.value,
                    "subject": version.subject,
                    "fingerprint": version.fingerprint.hex(),
                }
                for version in event_type.versions.values()
            ],
            "consumers": list(event_type.groups),
        }
        for event_type in catalog.event_types.values()
    ]
    if as_json:
        print(json.dumps(rows))
        return
    for event_type in catalog.event_types.values():
        versions = ", ".join(f"v{v.version} {v.state}" for v in event_type.versions.values())
        groups = ", ".join(event_type.groups) or "nobody"
        print(f"{event_type.name:28} {event_type.topic:22} {versions:20} -> {groups}")


def _catalog() -> Catalog:
    # These commands work on files alone, so neither database nor broker need be configured.
    settings = load_settings(database_url="-", kafka_bootstrap_servers="-")
    return Catalog.load(settings.schemas_dir)
