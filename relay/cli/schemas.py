"""`relay schemas`: all its commands, of which those that list, generate and export are here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from relay.cli import (
    schemas_check,
    schemas_diff,
    schemas_lint,
    schemas_register,
    schemas_review,
)
from relay.cli.output import JsonOption, print_json
from relay.cli.schemas_input import files_only
from relay.errors import ConfigurationInvalid
from relay.schema.catalog import Catalog, EventType
from relay.schema.export.asyncapi import asyncapi
from relay.schema.export.brokers import Brokers
from relay.schema.export.documents import SUFFIX, json_schemas, json_text, stale, write
from relay.schema.export.markdown import catalog_page
from relay.settings import Settings, load_settings

__all__ = ["app"]

app = typer.Typer(help="Check, review, register and export schemas.", no_args_is_help=True)
app.command(name="check")(schemas_check.command)
app.command(name="diff")(schemas_diff.command)
app.command(name="lint")(schemas_lint.command)
schemas_review.add_to(app)
app.command(name="register")(schemas_register.command)


CheckOption = Annotated[
    bool, typer.Option("--check", help="Write nothing; list stale files, and exit with 1 if any.")
]


@app.command()
def generate(check: CheckOption = False) -> None:
    """Write the typed Python events of the schemas folder."""
    from relay.schema.codegen import generate

    catalog = Catalog.load(files_only().schemas_dir)
    if check:
        problem = "generated files are stale. Run: relay schemas generate"
        _report_stale(generate.stale(catalog), problem)
    else:
        _report_written(generate.generate(catalog))


@app.command(name="list")
def list_schemas(as_json: JsonOption = False) -> None:
    """List event types with their topic, versions and consumer groups."""
    event_types = Catalog.load(files_only().schemas_dir).event_types.values()
    if as_json:
        print_json([_event_type(event_type) for event_type in event_types])
        return
    for event_type in event_types:
        versions = ", ".join(f"v{v.version} {v.state}" for v in event_type.versions.values())
        groups = ", ".join(event_type.groups) or "nobody"
        typer.echo(f"{event_type.name:28} {event_type.topic:22} {versions:20} -> {groups}")


def _event_type(event_type: EventType) -> dict[str, Any]:
    return {
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


@app.command()
def export(
    as_asyncapi: Annotated[
        bool, typer.Option("--asyncapi", help="AsyncAPI 3.0: topics, messages, consumers.")
    ] = False,
    as_json_schema: Annotated[
        bool, typer.Option("--json-schema", help="JSON Schema (2020-12) of every payload.")
    ] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="A readable page.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(help="File to write, a folder for --json-schema; standard output by default."),
    ] = None,
    check: CheckOption = False,
) -> None:
    """Write the catalog in one of three formats. Equal schemas give equal bytes."""
    if as_asyncapi + as_json_schema + as_markdown != 1:
        raise ConfigurationInvalid("Give one of --asyncapi, --json-schema and --markdown")
    if check and output is None:
        raise ConfigurationInvalid("--check compares files: name them with --output")
    settings = files_only()
    catalog = Catalog.load(settings.schemas_dir)
    if as_json_schema:
        _json_schema(catalog, output, check)
        return
    text = _asyncapi(catalog, settings) if as_asyncapi else catalog_page(catalog)
    if output is None:
        print(text, end="")
    else:
        _write_or_check({output: text}, check)


def _json_schema(catalog: Catalog, output: Path | None, check: bool) -> None:
    schemas = json_schemas(catalog)
    if output is None:
        print(json_text(schemas), end="")
        return
    if output.is_file():
        raise ConfigurationInvalid(f"--output: {output} is a file. Give a folder")
    files = {output / f"{name}{SUFFIX}": json_text(schema) for name, schema in schemas.items()}
    left = set(output.glob(f"*{SUFFIX}")) - files.keys()
    _write_or_check(files, check, sorted(left))


def _asyncapi(catalog: Catalog, settings: Settings) -> str:
    try:
        bootstrap = load_settings(database_url="-").kafka_bootstrap_servers
        brokers = Brokers(bootstrap, settings.schema_registry_url, settings.kafka_options)
    except ConfigurationInvalid:
        # All other settings were read above: no broker is set, and the document has a placeholder.
        brokers = Brokers()
    return json_text(asyncapi(catalog, brokers))


def _write_or_check(files: dict[Path, str], check: bool, left: Sequence[Path] = ()) -> None:
    """left: files of versions that no longer exist. A check reports them, for people to remove."""
    if not check:
        _report_written(write(files))
        return
    for path in left:
        typer.echo(f"relay: {path} belongs to no version of the catalog. Remove it", err=True)
    _report_stale(stale(files), "exported files are stale. Export them again")
    if left:
        raise typer.Exit(1)


def _report_written(paths: Sequence[Path]) -> None:
    """Lists files that were written."""
    for path in paths:
        typer.echo(path)
    typer.echo(f"{len(paths)} files written", err=True)


def _report_stale(paths: Sequence[Path], problem: str) -> None:
    """Lists files that are stale, and ends the command with 1 if there are any."""
    for path in paths:
        typer.echo(path)
    if paths:
        typer.echo(f"relay: {len(paths)} {problem}", err=True)
        raise typer.Exit(1)
