"""`relay schemas export`: the catalog as AsyncAPI, JSON Schema or a Markdown page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relay.cli.schemas_files import say_stale, say_written
from relay.errors import ConfigurationInvalid
from relay.schema.catalog import Catalog
from relay.settings import Settings, load_settings

__all__ = ["command"]


def command(
    as_asyncapi: Annotated[
        bool, typer.Option("--asyncapi", help="AsyncAPI 3.0: topics, messages, who reads what.")
    ] = False,
    as_json_schema: Annotated[
        bool, typer.Option("--json-schema", help="JSON Schema (2020-12) of every payload.")
    ] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="A page for people.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(help="File to write, a folder for --json-schema; standard output by default."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 naming stale files.")
    ] = False,
) -> None:
    """Write what the catalog is told to others as. Equal schemas give equal bytes."""
    if as_asyncapi + as_json_schema + as_markdown != 1:
        raise ConfigurationInvalid("Give one of --asyncapi, --json-schema and --markdown")
    if check and output is None:
        raise ConfigurationInvalid("--check compares files: name them with --output")
    # Neither database nor broker need be configured.
    settings = load_settings(database_url="-", kafka_bootstrap_servers="-")
    catalog = Catalog.load(settings.schemas_dir)
    if as_json_schema:
        _json_schema(catalog, output, check)
        return
    text = _asyncapi(catalog, settings) if as_asyncapi else _markdown(catalog)
    if output is None:
        print(text, end="")
    else:
        _settle({output: text}, check)


def _json_schema(catalog: Catalog, output: Path | None, check: bool) -> None:
    from relay.schema.export.documents import SUFFIX, json_schemas, json_text

    schemas = json_schemas(catalog)
    if output is None:
        print(json_text(schemas), end="")
        return
    if output.is_file():
        raise ConfigurationInvalid(f"--output: {output} is a file. Give a folder")
    files = {output / f"{name}{SUFFIX}": json_text(schema) for name, schema in schemas.items()}
    left = set(output.glob(f"*{SUFFIX}")) - files.keys()
    _settle(files, check, left=sorted(left))


def _asyncapi(catalog: Catalog, settings: Settings) -> str:
    from relay.schema.export.asyncapi import asyncapi
    from relay.schema.export.brokers import Brokers
    from relay.schema.export.documents import json_text

    try:
        bootstrap = load_settings(database_url="-").kafka_bootstrap_servers
    except ConfigurationInvalid:
        # All other settings were read above: it is not set, and the document has a placeholder.
        return json_text(asyncapi(catalog, Brokers()))
    return json_text(
        asyncapi(
            catalog,
            Brokers(bootstrap, settings.schema_registry_url, settings.kafka_options),
        )
    )


def _markdown(catalog: Catalog) -> str:
    from relay.schema.export.markdown import catalog_page

    return catalog_page(catalog)


def _settle(files: dict[Path, str], check: bool, *, left: list[Path] | None = None) -> None:
    """Writes or compares. left: files of versions that are gone; only --check minds them, since
    removing files is for people."""
    from relay.schema.export.documents import stale, write

    if not check:
        say_written(write(files))
        return
    found = say_stale(stale(files), "exported", "Export them again")
    for path in left or []:
        typer.echo(f"relay: {path} is of no version of the catalog. Remove it", err=True)
    if found or left:
        raise typer.Exit(1)
