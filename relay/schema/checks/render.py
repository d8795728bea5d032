"""Sections of lines for the terminal and for pull requests; the changes of a diff as such lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from relay.schema.checks.change import Change, Effect
from relay.schema.checks.finding import LintFinding, Severity

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "Line",
    "as_json",
    "as_markdown",
    "escaped",
    "finding_line",
    "items",
    "print_section",
    "print_text",
]

SIGNS = {Effect.ADDED: "+", Effect.REMOVED: "-", Effect.CHANGED: "~"}
COLOURS = {Effect.ADDED: "green", Effect.REMOVED: "red", Effect.CHANGED: "yellow"}
SEVERITIES = {Severity.ERROR: "red", Severity.WARNING: "yellow"}
# Characters that are markup in Markdown or HTML outside of code spans.
MARKUP = str.maketrans({c: f"\\{c}" for c in "\\*_[]#|~"} | {"<": "&lt;", ">": "&gt;"})


class Line(NamedTuple):
    """A sentence with a coloured label. sign: before the label, only in the terminal."""

    label: str
    colour: str
    sentence: str
    sign: str = " "


def print_section(
    console: Console, title: str, lines: Iterable[Line], *, style: str = "bold", width: int = 7
) -> None:
    """Prints a title and a line for each sentence. width: of the labels, in characters."""
    from rich.text import Text

    console.print(Text(title, style=style), soft_wrap=True)
    for line in lines:
        label = (f"{line.sign} {line.label:{width}} ", line.colour)
        console.print(Text.assemble(label, line.sentence), soft_wrap=True)


def items(lines: Iterable[Line]) -> list[str]:
    """Lines as the items of a list in Markdown."""
    return [f"- **{line.label}** {escaped(line.sentence)}" for line in lines]


def finding_line(finding: LintFinding) -> Line:
    """A finding of lint; the label is its severity."""
    sentence = f"{finding.rule} at {finding.path}: {finding.problem} {finding.fix}"
    return Line(finding.severity.value, SEVERITIES[finding.severity], sentence)


def print_text(console: Console, old: str, new: str, changes: Sequence[Change]) -> None:
    """Prints one line a change, coloured by its effect. old, new: names of the schemas."""
    title = f"{old} -> {new}: {_count(changes)}"
    print_section(console, title, map(_line, changes), width=22)


def as_markdown(old: str, new: str, changes: Sequence[Change]) -> str:
    """A heading and a list item a change, the kind first."""
    heading = f"### {escaped(old)} → {escaped(new)}: {_count(changes)}"
    return "\n".join([heading, "", *items(map(_line, changes))]).rstrip() + "\n"


def as_json(old: str, new: str, changes: Sequence[Change]) -> dict[str, Any]:
    """The document of `relay schemas diff --format json`."""
    return {"old": old, "new": new, "changes": [change.to_json() for change in changes]}


def escaped(sentence: str) -> str:
    """Escapes markup outside of `code`, which Markdown shows as it is."""
    parts = sentence.split("`")
    if len(parts) % 2 == 0:
        return sentence.translate(MARKUP | {ord("`"): "\\`"})
    return "`".join(
        part if number % 2 else part.translate(MARKUP) for number, part in enumerate(parts)
    ).replace("\n", " ")


def _line(change: Change) -> Line:
    effect = change.kind.effect
    return Line(change.kind.value, COLOURS[effect], change.sentence, SIGNS[effect])


def _count(changes: Sequence[Change]) -> str:
    if not changes:
        return "no changes"
    return "1 change" if len(changes) == 1 else f"{len(changes)} changes"
