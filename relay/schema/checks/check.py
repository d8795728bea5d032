"""The verdict on a version: what changed, and whether it goes with the versions before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from relay.errors import CatalogInvalid
from relay.schema.avro.invalid import SchemaInvalid
from relay.schema.avro.names import Strictness
from relay.schema.avro.nodes import Node, Schema
from relay.schema.avro.parse import read
from relay.schema.checks.base import Earlier
from relay.schema.checks.change import Change
from relay.schema.checks.diff import diff
from relay.schema.checks.finding import ERROR, LintFinding
from relay.schema.checks.lint_schema import lint
from relay.schema.checks.lint_versions import lint_versions
from relay.schema.checks.plan import Status, Task
from relay.schema.checks.probe import Direction, ProbeFailure, ProbeOutcome, probe
from relay.schema.compatibility import Finding, Rule, findings
from relay.schema.compatibility.levels import Level

__all__ = ["CheckedVersion", "Comparison", "Incompatibility", "check"]


@dataclass(frozen=True)
class Incompatibility:
    """A rule of the level that two versions break.

    words: the rule as a sentence. path, field: in the reader's schema, in a payload. reader,
    writer: the types there, in words. fix: how to change the new version, a sentence.
    """

    direction: Direction
    rule: Rule
    words: str
    path: str
    field: str
    reader: str
    writer: str
    fix: str

    @property
    def sentence(self) -> str:
        """The incompatibility in one line."""
        at = f"{self.path} ({self.field})" if self.field else self.path
        return (
            f"{self.direction.words}: {self.rule} at {at}: {self.words}. "
            f"The reader has {self.reader}; the writer has {self.writer}. {self.fix}."
        )


@dataclass(frozen=True)
class Comparison:
    """A version beside an earlier one.

    failures: of the probe, in a direction that the level promises. beyond: in the other direction,
    and what could not be probed.
    """

    earlier: str
    incompatibilities: tuple[Incompatibility, ...]
    changes: tuple[Change, ...]
    findings: tuple[LintFinding, ...]
    failures: tuple[ProbeFailure, ...]
    beyond: tuple[ProbeFailure, ...]

    @property
    def passed(self) -> bool:
        """Nothing stops the version here; warnings do not."""
        return not (self.incompatibilities or self.failures or _errors(self.findings))

    def to_json(self) -> dict[str, Any]:
        """The comparison for programs."""
        return {
            "with": self.earlier,
            "passed": self.passed,
            "compatible": not self.incompatibilities,
            "incompatibilities": [asdict(one) for one in self.incompatibilities],
            "changes": [change.to_json() for change in self.changes],
            "findings": [asdict(finding) for finding in self.findings],
            "probe": [
                {**asdict(failure), "stops": failure in self.failures}
                for failure in (*self.failures, *self.beyond)
            ],
        }


@dataclass(frozen=True)
class CheckedVersion:
    """The verdict on one version. changes: in place, of a version that was there before.

    findings: of lint on the version by itself; where it was there before, those that are new.
    refusal: why a registry would not accept the schema.
    """

    task: Task
    changes: tuple[Change, ...] = ()
    findings: tuple[LintFinding, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    refusal: str | None = None

    @property
    def problem(self) -> str | None:
        """Why the version is stopped by itself: refused, or its status."""
        if self.refusal is not None:
            return "refused"
        status = self.task.status
        return None if status in {Status.NEW, Status.REWORDED} else status.value

    @property
    def passed(self) -> bool:
        """The version may stay as it is; warnings do not stop it."""
        return (
            self.problem is None
            and not _errors(self.findings)
            and all(comparison.passed for comparison in self.comparisons)
        )

    def to_json(self) -> dict[str, Any]:
        """The verdict for programs."""
        return {
            "name": self.task.name,
            "eventType": self.task.event_type,
            "status": self.task.status.value,
            "level": self.task.level,
            "passed": self.passed,
            "problem": self.problem,
            "refusal": self.refusal,
            "changes": [change.to_json() for change in self.changes],
            "findings": [asdict(finding) for finding in self.findings],
            "comparisons": [comparison.to_json() for comparison in self.comparisons],
            "groups": list(self.task.groups),
        }


def check(task: Task, *, seconds: float = 5.0) -> CheckedVersion:
    """Compares a version with what it has to go with.

    seconds: for the probe, in each direction and for each earlier version.
    Raises CatalogInvalid when an earlier version is not an Avro schema.
    """
    if task.schema is None:
        return CheckedVersion(task)
    try:
        parsed = read(task.schema, Strictness.SPECIFICATION)
    except SchemaInvalid as error:
        return CheckedVersion(task, refusal=str(error))
    found = lint(task.schema)
    changes: tuple[Change, ...] = ()
    if task.before is not None:
        changes = tuple(diff(task.before.schema, task.schema))
        known = {(finding.rule, finding.path) for finding in lint(task.before.schema)}
        found = [one for one in found if (one.rule, one.path) not in known]
        found += lint_versions(task.before.schema, task.schema)
    level = Level(task.level)
    comparisons = (_compare(one, task.schema, parsed, level, seconds) for one in task.earlier)
    return CheckedVersion(task, changes, tuple(found), tuple(comparisons))


def _compare(
    earlier: Earlier, schema: Schema, new: Node, level: Level, seconds: float
) -> Comparison:
    try:
        old = read(earlier.schema)
    except SchemaInvalid as error:
        raise CatalogInvalid(
            f"{earlier.name} is not an Avro schema: {error}. Look at it"
        ) from error
    backward, forward = findings(reader=new, writer=old), findings(reader=old, writer=new)
    broken = [
        *(_incompatibility(Direction.BACKWARD, one, one.reader_fix) for one in backward),
        *(_incompatibility(Direction.FORWARD, one, one.writer_fix) for one in forward),
    ]
    promised = {Direction.BACKWARD: level.new_reads_old, Direction.FORWARD: level.old_reads_new}
    failures = probe(earlier.schema, schema, seconds=seconds)
    stopping = [
        one
        for one in failures
        if promised[one.direction] and one.outcome is not ProbeOutcome.NOT_PROBED
    ]
    return Comparison(
        earlier.name,
        tuple(one for one in broken if promised[one.direction]),
        tuple(diff(earlier.schema, schema)),
        tuple(lint_versions(earlier.schema, schema)),
        tuple(stopping),
        tuple(one for one in failures if one not in stopping),
    )


def _incompatibility(direction: Direction, broken: Finding, fix: str) -> Incompatibility:
    rule, sides = broken.rule, (broken.reader, broken.writer)
    return Incompatibility(direction, rule, rule.words, broken.path, broken.field, *sides, fix)


def _errors(found: Sequence[LintFinding]) -> bool:
    return any(finding.severity is ERROR for finding in found)
