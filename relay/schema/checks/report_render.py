"""The report of a check for the terminal, for a pull request, and for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from relay.schema.checks.check import Checked, Comparison
from relay.schema.checks.render import escaped
from relay.schema.checks.report import (
    Line,
    Report,
    Weight,
    converter_headline,
    converter_lines,
    headline,
    level_line,
    lines,
    summary,
)

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["as_json", "as_markdown", "print_text"]

COLOURS = {
    Weight.ERROR: "red",
    Weight.WARNING: "yellow",
    Weight.CHANGE: "cyan",
    Weight.NOTE: "dim",
}


def print_text(console: Console, report: Report) -> None:
    """Prints the summary and one line a thing, coloured by its weight."""
    from rich.text import Text

    console.print(Text(summary(report), style="bold"), soft_wrap=True)
    for change in report.levels:
        line = level_line(report, change)
        about = (f"{line.weight.value} ", COLOURS[line.weight])
        console.print(Text.assemble(about, line.sentence), soft_wrap=True)
    for checked in report.checked:
        colour = "green" if checked.passed else "red"
        console.print()
        console.print(Text(headline(checked), style=f"bold {colour}"), soft_wrap=True)
        _print_lines(console, lines(report, checked))

    for converted in report.converters:
        colour = "green" if converted.passed else "red"
        console.print()
        console.print(Text(converter_headline(converted), style=f"bold {colour}"), soft_wrap=True)
        _print_lines(console, converter_lines(converted))


def _print_lines(console: Console, found: Iterable[Line]) -> None:
    from rich.text import Text

    for line in found:
        about = (f"  {line.weight.value:8}", COLOURS[line.weight])
        console.print(Text.assemble(about, line.sentence), soft_wrap=True)


def as_markdown(report: Report) -> str:
    """A heading a version and a list item a thing, its weight first."""
    parts = ["## Schemas", "", escaped(summary(report))]
    parts += [
        f"\n**{line.weight.value}** {escaped(line.sentence)}"
        for line in (level_line(report, change) for change in report.levels)
    ]
    for checked in report.checked:
        parts += ["", f"### {escaped(headline(checked))}", ""]
        parts += _items(lines(report, checked))
    for converted in report.converters:
        parts += ["", f"### {escaped(converter_headline(converted))}", ""]
        parts += _items(converter_lines(converted))
    return "\n".join(parts) + "\n"


def _items(found: Iterable[Line]) -> list[str]:
    return [f"- **{line.weight.value}** {escaped(line.sentence)}" for line in found]


def as_json(report: Report) -> dict[str, Any]:
    """The document of `relay schemas check --format json`."""
    return {
        "against": report.against,
        "passed": report.passed,
        "levels": [
            {
                "domain": change.domain,
                "was": change.was.value,
                "now": change.now.value,
                "sentence": level_line(report, change).sentence,
                "loosened": change.loosened,
                "accepted": change.loosened and not report.stopped(change),
            }
            for change in report.levels
        ],
        "versions": [_version(report, checked) for checked in report.checked],
        "converters": [converted.to_json() for converted in report.converters],
    }


def _version(report: Report, checked: Checked) -> dict[str, Any]:
    task = checked.task
    document: dict[str, Any] = {
        "name": task.name,
        "eventType": task.event_type,
        "status": task.status.value,
        "level": task.level,
        "passed": checked.passed,
        "problem": checked.problem.value if checked.problem else None,
        "refusal": checked.refusal,
        "changes": [change.to_json() for change in checked.changes],
        "findings": [finding.to_json() for finding in checked.findings],
        "comparisons": [_comparison(comparison) for comparison in checked.comparisons],
        "groups": list(task.groups),
    }
    if report.readers is not None:
        readings = report.readers.get(task.event_type, ())
        document["readers"] = [reading.to_json() for reading in readings]
    return document


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "with": comparison.earlier,
        "passed": comparison.passed,
        "compatible": not comparison.incompatibilities,
        "incompatibilities": [one.to_json() for one in comparison.incompatibilities],
        "changes": [change.to_json() for change in comparison.changes],
        "findings": [finding.to_json() for finding in comparison.findings],
        "probe": [
            {**failure.to_json(), "stops": failure in comparison.failures}
            for failure in (*comparison.failures, *comparison.beyond)
        ],
    }
