"""A list of changes for the terminal, for a pull request, and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from relay.schema.checks.change import Change, Effect

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["as_json", "as_markdown", "escaped", "print_text"]

SIGNS = {Effect.ADDED: "+", Effect.REMOVED: "-", Effect.CHANGED: "~"}
COLOURS = {Effect.ADDED: "green", Effect.REMOVED: "red", Effect.CHANGED: "yellow"}
# What Markdown or HTML would take for markup outside of code spans.
MARKUP = str.maketrans({c: f"\\{c}" for c in "\\*_[]#|~"} | {"<": "&lt;", ">": "&gt;"})


def print_text(console: Console, old: str, new: str, changes: Sequence[Change]) -> None:
    """Prints one line a change, coloured by its effect.

    old, new: what the schemas are called.
    """
    from rich.text import Text

    heading = Text(f"{old} -> {new}: {_count(changes)}", style="bold")
    console.print(heading, soft_wrap=True)
    for change in changes:
        effect = change.kind.effect
        line = Text.assemble(
            (f"{SIGNS[effect]} {change.kind.value:22} ", COLOURS[effect]), change.sentence
        )
        console.print(line, soft_wrap=True)


def as_markdown(old: str, new: str, changes: Sequence[Change]) -> str:
    """A heading and a list item a change, the kind first."""
    lines = [f"### {escaped(old)} → {escaped(new)}: {_count(changes)}", ""]
    lines += [f"- **{change.kind.value}** {escaped(change.sentence)}" for change in changes]
    return "\n".join(lines).rstrip() + "\n"


def as_json(old: str, new: str, changes: Sequence[Change]) -> dict[str, Any]:
    """The document of `relay schemas diff --format json`."""
    return {"old": old, "new": new, "changes": [change.to_json() for change in changes]}


def _count(changes: Sequence[Change]) -> str:
    if not changes:
        return "no changes"
    return "1 change" if len(changes) == 1 else f"{len(changes)} changes"


def escaped(sentence: str) -> str:
    """Markup is escaped outside of `code`, where Markdown takes everything as it is."""
    parts = sentence.split("`")
    if len(parts) % 2 == 0:
        return sentence.translate(MARKUP | {ord("`"): "\\`"})
    return "`".join(
        part if number % 2 else part.translate(MARKUP) for number, part in enumerate(parts)
    ).replace("\n", " ")
