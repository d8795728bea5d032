"""`relay schemas`: the catalog and what is generated from it."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from relay.catalog import Catalog
from relay.cli import schemas_check, schemas_diff, schemas_export, schemas_lint, schemas_review
from relay.settings import load_settings

__all__ = ["app"]

app = typer.Typer(help="The catalog of event types and their schemas.", no_args_is_help=True)
app.command(name="check")(schemas_check.command)
app.command(name="diff")(schemas_diff.command)
app.command(name="lint")(schemas_lint.command)
schemas_review.add_to(app)
app.command(name="export")(schemas_export.command)


@app.command()
def generate(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 naming stale files.")
    ] = False,
) -> None:
    """Write the typed Python events of the schemas folder."""
    from relay.registry.generate import generate as write
    from relay.registry.generate import stale

    catalog = _catalog()
    if not check:
        changed = write(catalog)
        for path in changed:
            print(path)
        typer.echo(f"{len(changed)} files written", err=True)
        return
    if files := stale(catalog):
        for path in files:
            print(path)
        typer.echo(
            f"relay: {len(files)} generated files are stale. Run: relay schemas generate", err=True
        )
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


@app.command()
def register(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Register the catalog's schemas at the registry; doing it again changes nothing."""
    from relay.registry.client import RegistryClient
    from relay.registry.register import register_catalog

    settings = load_settings(database_url="-", kafka_bootstrap_servers="-")
    catalog = _catalog()
    rows = []
    refused = 0
    with RegistryClient(settings.schema_registry_url) as registry:
        for result in register_catalog(catalog, registry):
            version = result.version
            rows.append(
                {
                    "subject": version.subject,
                    "eventType": version.event_type,
                    "version": version.version,
                    "id": result.schema_id,
                    "new": result.new,
                    "problem": result.problem,
                }
            )
            if result.problem is not None:
                refused += 1
                typer.echo(f"relay: {version.path} is refused: {result.problem}", err=True)
            elif not as_json:
                outcome = "registered" if result.new else "already there"
                print(f"{version.subject:60} v{version.version} id {result.schema_id} {outcome}")
    if as_json:
        print(json.dumps(rows))
    else:
        new = sum(bool(row["new"]) for row in rows)
        typer.echo(
            f"{new} registered, {len(rows) - new - refused} already there, {refused} refused",
            err=True,
        )
    if refused:
        raise typer.Exit(1)


def _catalog() -> Catalog:
    # These commands work on files alone, so neither database nor broker need be configured.
    settings = load_settings(database_url="-", kafka_bootstrap_servers="-")
    return Catalog.load(settings.schemas_dir)
