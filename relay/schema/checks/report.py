"""What a check found, in sentences that every form of it shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from relay.schema.approvals.affected import Reading
from relay.schema.checks.change import Change
from relay.schema.checks.check import Checked, Comparison, Problem
from relay.schema.checks.conversion import Converted
from relay.schema.checks.finding import Finding, Severity
from relay.schema.checks.levels import LevelChange, lost
from relay.schema.checks.plan import Status
from relay.schema.checks.words import listed

__all__ = [
    "Line",
    "Report",
    "Weight",
    "converter_headline",
    "converter_lines",
    "headline",
    "level_line",
    "lines",
    "summary",
]

STATUS = {
    Status.NEW: "is new",
    Status.CHANGED: "was changed in place",
    Status.REWORDED: "has other docs or properties",
    Status.DEMOTED: "was in use and is listed as proposed or approved",
    Status.DELETED: "is gone",
}


class Weight(StrEnum):
    """What a line means for the verdict: an error stops the change, nothing else does."""

    ERROR = "error"
    WARNING = "warning"
    CHANGE = "change"
    NOTE = "note"


@dataclass(frozen=True)
class Line:
    """One thing to read."""

    weight: Weight
    sentence: str


@dataclass(frozen=True)
class Report:
    """All verdicts of a check. against: the base's name; levels: of domains, that changed.

    readers: by event type, who reads it; None where nobody was asked. accepted: domains whose
    level may be loosened. converters: of the major versions among the event types.
    """

    against: str
    levels: tuple[LevelChange, ...]
    checked: tuple[Checked, ...]
    readers: Mapping[str, Sequence[Reading]] | None = None
    accepted: frozenset[str] = frozenset()
    converters: tuple[Converted, ...] = ()

    def stopped(self, change: LevelChange) -> bool:
        """Whether a level was loosened, and nobody accepts it."""
        return change.loosened and change.domain not in self.accepted

    @property
    def passed(self) -> bool:
        """Whether every version, every converter and every level passes."""
        return (
            all(checked.passed for checked in self.checked)
            and all(converted.passed for converted in self.converters)
            and not any(self.stopped(change) for change in self.levels)
        )


def summary(report: Report) -> str:
    """The whole report in a line."""
    loosened = [change.domain for change in report.levels if report.stopped(change)]
    levels = f" Compatibility of {listed(loosened)} is loosened: stopped." if loosened else ""
    broken = [one.event_type for one in report.converters if not one.passed]
    converters = f" The converter of {listed(broken)} fails: stopped." if broken else ""
    return _versions(report) + levels + converters


def level_line(report: Report, change: LevelChange) -> Line:
    """A domain's level that changed: an error where less is promised, unless it is accepted."""
    sentence = (
        f"The compatibility level of domain {change.domain} is {change.now}; in {report.against} "
        f"it is {change.was}. All versions here are judged by {change.now}."
    )
    if not change.loosened:
        return Line(Weight.NOTE, sentence)
    sentence += f" It promises less: {'; '.join(lost(change.was, change.now))}."
    if report.stopped(change):
        fix = f"Take it back, or accept it with --accept-level {change.domain}."
        return Line(Weight.ERROR, f"{sentence} {fix}")
    return Line(Weight.WARNING, f"{sentence} That was accepted.")


def _versions(report: Report) -> str:
    if not report.checked:
        return f"No schema has changed since {report.against}."
    stopped = sum(not checked.passed for checked in report.checked)
    total = len(report.checked)
    versions = "1 version" if total == 1 else f"{total} versions"
    return f"{versions} new, changed or gone since {report.against}, {stopped} stopped."


def headline(checked: Checked) -> str:
    """What a version is, with its verdict."""
    verdict = "passes" if checked.passed else "stopped"
    return f"{checked.task.name} {STATUS[checked.task.status]}: {verdict}"


def converter_headline(converted: Converted) -> str:
    """Which converter it is, with its verdict."""
    verdict = "passes" if converted.passed else "stopped"
    return f"The converter between {converted.former} and {converted.event_type}: {verdict}"


def converter_lines(converted: Converted) -> Iterator[Line]:
    """Everything about one converter: what stops it first, then what it does not keep."""
    if converted.refusal is not None:
        yield Line(Weight.ERROR, converted.refusal)
    for failure in converted.failures:
        yield Line(Weight.ERROR, f"{failure.sentence}.")
    former, newer = converted.former, converted.event_type
    for owner, other, fields in (
        (former, newer, converted.lost),
        (newer, former, converted.lost_newer),
    ):
        if fields:
            yield Line(
                Weight.WARNING,
                f"Of {owner}, {listed(fields)} can be another after the way to {other} and back. "
                f"Groups on {other} get what the converter makes of it",
            )
    for problem in converted.unprobed:
        yield Line(Weight.WARNING, f"Not everything was tried: {problem}")


def lines(report: Report, checked: Checked) -> Iterator[Line]:
    """Everything about one version: what stops it first, then what was compared, then who reads."""
    yield from _standing(checked)
    yield from map(_finding, checked.findings)
    for comparison in checked.comparisons:
        yield from _comparison(checked, comparison)
    yield Line(Weight.NOTE, _groups(report, checked))


def _standing(checked: Checked) -> Iterator[Line]:
    task = checked.task
    match checked.problem:
        case Problem.DELETED:
            yield Line(
                Weight.ERROR,
                f"{task.name} was there, and the catalog has it no more. Events may have been "
                "written under it: put its file back, and list it in domain.yaml as retired",
            )
        case Problem.DEMOTED:
            yield Line(
                Weight.ERROR,
                f"{task.name} was listed as in use, and events may have been written under it, but "
                "a proposal may still change. List it as it was; one to be given up is retired",
            )
        case Problem.REFUSED:
            yield Line(
                Weight.ERROR,
                f"A registry refuses it, which is not an Avro schema: {checked.refusal}",
            )
        case Problem.CHANGED:
            yield Line(
                Weight.ERROR,
                f"{task.name} was there with other contents, and versions stay as they are. "
                "Take the changes back and write them into a new version",
            )
    if task.status is Status.REWORDED:
        yield Line(
            Weight.WARNING,
            "An existing version was edited. Its bytes and its readers stay as they are; "
            "registries know schemas by their text and keep the one that was approved",
        )
    yield from map(_change, checked.changes)


def _comparison(checked: Checked, comparison: Comparison) -> Iterator[Line]:
    level = checked.task.level
    verdict = "incompatible" if comparison.incompatibilities else "compatible"
    if level == "NONE":
        verdict = "compatibility is not asked for"
    yield Line(Weight.NOTE, f"Compared with {comparison.earlier} by {level}: {verdict}.")
    for incompatibility in comparison.incompatibilities:
        yield Line(Weight.ERROR, incompatibility.sentence)
    yield from map(_change, comparison.changes)
    yield from map(_finding, comparison.findings)
    for failure in comparison.failures:
        yield Line(Weight.ERROR, f"Probe, {failure.sentence}")
    for failure in comparison.beyond:
        yield Line(Weight.WARNING, f"Probe, {failure.sentence}")


def _finding(finding: Finding) -> Line:
    weight = Weight.ERROR if finding.severity is Severity.ERROR else Weight.WARNING
    return Line(weight, f"{finding.rule} at {finding.path}: {finding.problem} {finding.fix}")


def _change(change: Change) -> Line:
    return Line(Weight.CHANGE, change.sentence)


def _groups(report: Report, checked: Checked) -> str:
    if report.readers is None:
        return f"Groups in the domain file: {listed(checked.task.groups)}."
    readings = report.readers.get(checked.task.event_type, ())
    return f"Groups that read {checked.task.event_type}: {listed([_reading(r) for r in readings])}."


def _reading(reading: Reading) -> str:
    if reading.version is not None:
        read = f"version {reading.version}"
    elif reading.schema_id is not None:
        read = f"unknown schema id {reading.schema_id}"
    else:
        read = "nothing yet"
    lag = "unknown" if reading.lag is None else f"{reading.lag:,}"
    return f"{reading.group} (last decoded {read}, lag {lag})"
