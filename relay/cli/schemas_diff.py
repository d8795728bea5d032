"""`relay schemas diff`: what changed between two schemas, in words."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from relay.cli.schema_names import SchemaNames
from relay.cli.schemas_input import files_only

__all__ = ["Format", "FormatOption", "JsonOption", "command"]

Schema = Annotated[str, typer.Argument(help="An .avsc file, or event_type@version of the catalog.")]


class Format(StrEnum):
    """The format of the output."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


FormatOption = Annotated[
    Format, typer.Option("--format", help="For the terminal, a pull request, or a program.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="The same as --format json.")]


def command(
    old: Schema,
    new: Schema,
    form: FormatOption = Format.TEXT,
    as_json: JsonOption = False,
) -> None:
    """Describe what changed from one schema to another."""
    from relay.schema.checks.diff import diff
    from relay.schema.checks.render import as_json as document
    from relay.schema.checks.render import as_markdown, print_text

    names = SchemaNames(files_only().schemas_dir)
    before, after = names.find(old), names.find(new)
    changes = diff(before.schema, after.schema)
    if as_json or form is Format.JSON:
        print(json.dumps(document(before.name, after.name, changes)))
    elif form is Format.MARKDOWN:
        print(as_markdown(before.name, after.name, changes), end="")
    else:
        from rich.console import Console

        print_text(Console(highlight=False), before.name, after.name, changes)
