"""The report of a check for the terminal, for a pull request, and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from relay.schema.approvals.affected import GroupReading
from relay.schema.checks.check import CheckedVersion, Comparison
from relay.schema.checks.conversion import Converted
from relay.schema.checks.levels import LevelChange
from relay.schema.checks.plan import Status
from relay.schema.checks.render import Line, escaped, finding_line, items, print_section
from relay.schema.checks.words import listed

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Report", "as_json", "as_markdown", "print_text", "summary"]

STATUS = {
    Status.NEW: "is new",
    Status.CHANGED: "was changed in place",
    Status.REWORDED: "has other docs or properties",
    Status.DEMOTED: "was in use and is listed as proposed or approved",
    Status.DELETED: "is gone",
}
PROBLEMS = {
    "deleted": "{name} is not in the catalog any more. Events may have been written under it: put "
    "its file back, and list it in domain.yaml as retired",
    "demoted": "{name} was listed as in use, and events may have been written under it, but a "
    "proposal may still change. List it as it was; to abandon it, list it as retired",
    "refused": "It is not an Avro schema by the specification: {refusal}",
    "changed": "{name} was edited, and versions must not change. Undo the changes and write them "
    "into a new version",
}

# An error stops the change, nothing else does.
error = partial(Line, "error", "red")
warning = partial(Line, "warning", "yellow")
change = partial(Line, "change", "cyan")
note = partial(Line, "note", "dim")


@dataclass(frozen=True)
class Report:
    """All verdicts of a check. against: the base's name; levels: of domains, that changed.

    readers: by event type, who reads it; None where that was not requested. converters: of the
    major versions among the event types.
    """

    against: str
    levels: tuple[LevelChange, ...]
    checked: tuple[CheckedVersion, ...]
    readers: Mapping[str, Sequence[GroupReading]] | None = None
    converters: tuple[Converted, ...] = ()

    @property
    def passed(self) -> bool:
        """Every version, every converter and every level passes."""
        return (
            all(checked.passed for checked in self.checked)
            and all(converted.passed for converted in self.converters)
            and all(level.passed for level in self.levels)
        )


def summary(report: Report) -> str:
    """The whole report in a line."""
    total = len(report.checked)
    stopped = sum(not checked.passed for checked in report.checked)
    versions = "1 version" if total == 1 else f"{total} versions"
    text = f"{versions} new, changed or gone since {report.against}, {stopped} stopped."
    if not total:
        text = f"No schema has changed since {report.against}."
    loosened = [level.domain for level in report.levels if not level.passed]
    if loosened:
        text += f" Compatibility of {listed(loosened)} is loosened: stopped."
    broken = [converted.event_type for converted in report.converters if not converted.passed]
    if broken:
        text += f" The converter of {listed(broken)} fails: stopped."
    return text


def print_text(console: Console, report: Report) -> None:
    """Prints the summary and a line for each result, coloured by its weight."""
    print_section(console, summary(report), _levels(report))
    for title, passed, lines in _sections(report):
        console.print()
        print_section(console, title, lines, style=f"bold {'green' if passed else 'red'}")


def as_markdown(report: Report) -> str:
    """A heading for each version and a list item for each result, its weight first."""
    parts = ["## Schemas", "", escaped(summary(report))]
    if report.levels:
        parts += ["", *items(_levels(report))]
    for title, _, lines in _sections(report):
        parts += ["", f"### {escaped(title)}", "", *items(lines)]
    return "\n".join(parts) + "\n"


def as_json(report: Report) -> dict[str, Any]:
    """The document of `relay schemas check --format json`."""
    versions = [checked.to_json() for checked in report.checked]
    if report.readers is not None:
        for version in versions:
            readings = report.readers.get(version["eventType"], ())
            version["readers"] = [reading.to_json() for reading in readings]
    return {
        "against": report.against,
        "passed": report.passed,
        "levels": [level.to_json(report.against) for level in report.levels],
        "versions": versions,
        "converters": [converted.to_json() for converted in report.converters],
    }


def _levels(report: Report) -> Iterator[Line]:
    for level in report.levels:
        if not level.loosened:
            yield note(level.sentence(report.against))
        elif level.passed:
            yield warning(level.sentence(report.against))
        else:
            yield error(level.sentence(report.against))


def _sections(report: Report) -> Iterator[tuple[str, bool, Iterator[Line]]]:
    """Title, verdict and lines of each version and each converter."""
    for checked in report.checked:
        title = f"{checked.task.name} {STATUS[checked.task.status]}"
        yield f"{title}: {_verdict(checked)}", checked.passed, _version(report, checked)
    for converted in report.converters:
        title = f"The converter between {converted.former} and {converted.event_type}"
        yield f"{title}: {_verdict(converted)}", converted.passed, _converter(converted)


def _verdict(one: CheckedVersion | Converted) -> str:
    return "passes" if one.passed else "stopped"


def _converter(converted: Converted) -> Iterator[Line]:
    """Lines about a converter: what stops it first, then what it loses."""
    if converted.refusal is not None:
        yield error(converted.refusal)
    for failure in converted.failures:
        yield error(f"{failure.sentence}.")
    former, newer = converted.former, converted.event_type
    for owner, other, fields in (
        (former, newer, converted.lost),
        (newer, former, converted.lost_newer),
    ):
        if fields:
            yield warning(
                f"Of {owner}, {listed(fields)} can differ after a conversion to {other} and back. "
                f"Groups on {other} get the converted value"
            )
    for problem in converted.unprobed:
        yield warning(f"Not everything was tried: {problem}")


def _version(report: Report, checked: CheckedVersion) -> Iterator[Line]:
    """Lines about a version: what stops it first, then comparisons, then who reads it."""
    task = checked.task
    if checked.problem is not None:
        problem = PROBLEMS[checked.problem]
        yield error(problem.format(name=task.name, refusal=checked.refusal))
    if task.status is Status.REWORDED:
        yield warning(
            "An existing version was edited. Its bytes and its readers stay as they are; "
            "registries identify schemas by text and keep the one that was approved"
        )
    yield from (change(one.sentence) for one in checked.changes)
    yield from map(finding_line, checked.findings)
    for comparison in checked.comparisons:
        yield from _comparison(task.level, comparison)
    if report.readers is None:
        yield note(f"Groups in the domain file: {listed(task.groups)}.")
    else:
        readings = map(_reading, report.readers.get(task.event_type, ()))
        yield note(f"Groups that read {task.event_type}: {listed(readings)}.")


def _comparison(level: str, comparison: Comparison) -> Iterator[Line]:
    verdict = "incompatible" if comparison.incompatibilities else "compatible"
    if level == "NONE":
        verdict = "compatibility is not required"
    yield note(f"Compared with {comparison.earlier} by {level}: {verdict}.")
    yield from (error(one.sentence) for one in comparison.incompatibilities)
    yield from (change(one.sentence) for one in comparison.changes)
    yield from map(finding_line, comparison.findings)
    yield from (error(f"Probe, {failure.sentence}") for failure in comparison.failures)
    yield from (warning(f"Probe, {failure.sentence}") for failure in comparison.beyond)


def _reading(reading: GroupReading) -> str:
    if reading.version is not None:
        read = f"version {reading.version}"
    elif reading.schema_id is not None:
        read = f"unknown schema id {reading.schema_id}"
    else:
        read = "nothing yet"
    lag = "unknown" if reading.lag is None else f"{reading.lag:,}"
    return f"{reading.group} (last decoded {read}, lag {lag})"
