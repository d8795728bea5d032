"""`relay schemas lint`: findings for what compatibility rules are blind to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from relay.cli.schema_names import NamedSchema, SchemaNames
from relay.errors import CatalogInvalid
from relay.settings import load_settings

if TYPE_CHECKING:
    from relay.schema.checks.finding import Finding

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
    """Find what is legal Avro and will hurt; exit 1 if there are errors.

    Versions of the catalog are also compared with the version before them.
    """
    from relay.schema.checks.finding import Severity

    # The work is on files alone, so neither database nor broker need be configured.
    names = SchemaNames(load_settings(database_url="-", kafka_bootstrap_servers="-").schemas_dir)
    looked_at = list(names.find_all(schemas or ()))
    found = [(schema, finding) for schema in looked_at for finding in _findings(schema)]
    errors = sum(finding.severity is Severity.ERROR for _, finding in found)
    summary = {"schemas": len(looked_at), "errors": errors, "warnings": len(found) - errors}
    if as_json:
        rows = [{"schema": schema.name, **finding.to_json()} for schema, finding in found]
        print(json.dumps({**summary, "findings": rows}))
    else:
        _print(found)
        typer.echo(", ".join(f"{count} {what}" for what, count in summary.items()), err=True)
    if errors:
        raise typer.Exit(1)


def _findings(schema: NamedSchema) -> list[Finding]:
    from relay.schema.checks.lint import lint, lint_versions

    try:
        found = lint(schema.schema)
        if schema.previous is not None:
            found += lint_versions(schema.previous.schema, schema.schema)
    except CatalogInvalid as error:
        raise CatalogInvalid(f"{schema.path}: {error}") from error
    return found


def _print(found: Sequence[tuple[NamedSchema, Finding]]) -> None:
    from rich.console import Console
    from rich.text import Text

    from relay.schema.checks.finding import Severity

    console = Console(highlight=False)
    last = None
    for schema, finding in found:
        if schema is not last:
            console.print(Text(schema.name, style="bold"))
            last = schema
        colour = "red" if finding.severity is Severity.ERROR else "yellow"
        line = Text.assemble(
            "  ",
            (f"{finding.severity.value:7} {finding.rule}", colour),
            f" {finding.problem} {finding.fix}",
        )
        console.print(line, soft_wrap=True)
