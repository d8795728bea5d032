"""`relay schemas diff`: what changed between two schemas, in words."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from relay.cli.schema_names import NamedSchema, SchemaNames
from relay.errors import CatalogInvalid
from relay.settings import load_settings

__all__ = ["command"]

SCHEMA = "An .avsc file, or event_type@version of the catalog."


class Format(StrEnum):
    """How the changes are written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


def command(
    old: Annotated[str, typer.Argument(help=SCHEMA)],
    new: Annotated[str, typer.Argument(help=SCHEMA)],
    form: Annotated[
        Format, typer.Option("--format", help="For the terminal, a pull request, or a program.")
    ] = Format.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Say in words what changed from one schema to another."""
    from relay.schema.checks.diff import diff
    from relay.schema.checks.render import as_json as document
    from relay.schema.checks.render import as_markdown, print_text

    # The work is on files alone, so neither database nor broker need be configured.
    names = SchemaNames(load_settings(database_url="-", kafka_bootstrap_servers="-").schemas_dir)
    before, after = names.find(old), names.find(new)
    for schema in (before, after):
        _check(schema)
    changes = diff(before.schema, after.schema)
    if as_json or form is Format.JSON:
        print(json.dumps(document(before.name, after.name, changes)))
    elif form is Format.MARKDOWN:
        print(as_markdown(before.name, after.name, changes), end="")
    else:
        from rich.console import Console

        print_text(Console(highlight=False), before.name, after.name, changes)


def _check(schema: NamedSchema) -> None:
    from relay.schema.avro.parse import read_schema

    try:
        read_schema(schema.schema)
    except CatalogInvalid as error:
        raise CatalogInvalid(f"{schema.path}: {error}") from error
