"""`relay schemas lint`: what is valid Avro but will cause trouble."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from relay.cli.schema_names import NamedSchema, SchemaNames
from relay.cli.schemas_input import files_only

if TYPE_CHECKING:
    from relay.schema.checks.finding import LintFinding

__all__ = ["command"]


def command(
    schemas: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files, folders, event types or event_type@version; without any, the catalog."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Find what is valid Avro but will cause trouble; exit 1 if there are errors.

    Versions of the catalog are also compared with the version before them.
    """
    names = SchemaNames(files_only().schemas_dir)
    looked_at = list(names.find_all(schemas or ()))
    found = [(schema, finding) for schema in looked_at for finding in _findings(schema)]
    errors = sum(finding.severity == "error" for _, finding in found)
    summary = {"schemas": len(looked_at), "errors": errors, "warnings": len(found) - errors}
    if as_json:
        rows = [{"schema": schema.name, **asdict(finding)} for schema, finding in found]
        print(json.dumps({**summary, "findings": rows}))
    else:
        _print(found)
        typer.echo(", ".join(f"{count} {what}" for what, count in summary.items()), err=True)
    if errors:
        raise typer.Exit(1)


def _findings(schema: NamedSchema) -> list[LintFinding]:
    from relay.schema.checks.lint_schema import lint, unreadable
    from relay.schema.checks.lint_versions import lint_versions

    if schema.problem is not None:
        return [unreadable(schema.problem)]
    found = lint(schema.schema)
    if schema.previous is not None:
        found += lint_versions(schema.previous, schema.schema)
    return found


def _print(found: Sequence[tuple[NamedSchema, LintFinding]]) -> None:
    from rich.console import Console

    from relay.schema.checks.render import finding_line, print_section

    console = Console(highlight=False)
    for schema, pairs in groupby(found, key=lambda pair: pair[0]):
        print_section(console, schema.name, (finding_line(finding) for _, finding in pairs))
