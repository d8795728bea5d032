"""Options and output that commands share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from relay.errors import ConfigurationInvalid, RelayError

__all__ = ["JsonOption", "NotDone", "print_json", "print_table", "stripped_reason"]

# Characters of a line that is not printed on a terminal.
_UNLIMITED = 10_000

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


class NotDone(RelayError):
    """A command did not do what was requested; the message says why. Exit code 1."""


def stripped_reason(reason: str, longest: int) -> str:
    """What --reason says. Raises ConfigurationInvalid where that is nothing or too long."""
    if not 0 < len(reason.strip()) <= longest:
        raise ConfigurationInvalid(f"--reason must have 1 to {longest} characters")
    return reason.strip()


def print_json(document: Any) -> None:
    """Prints one JSON document on standard output."""
    typer.echo(json.dumps(document, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str | int | Text | None]]) -> None:
    """Prints a table on standard output; numbers with thousands separators, to the right.

    Nothing is cut: a terminal wraps long values, other outputs get long lines.
    """
    table = Table(*(Column(name, overflow="fold") for name in columns))
    for row in rows:
        table.add_row(*map(_cell, row))
    console = Console()
    if not console.is_terminal:
        console.width = _UNLIMITED
    console.print(table)


def _cell(value: str | int | Text | None) -> Text:
    if isinstance(value, int):
        return Text(f"{value:,}", justify="right")
    return value if isinstance(value, Text) else Text(value or "")
