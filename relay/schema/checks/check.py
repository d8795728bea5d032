"""The verdict on a working tree: what is new or changed, compared with what was there before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from relay.errors import CatalogInvalid
from relay.schema.avro.invalid import SchemaInvalid
from relay.schema.avro.nodes import Node, Schema
from relay.schema.avro.parse import read
from relay.schema.avro.strictness import Strictness
from relay.schema.checks.base import Earlier
from relay.schema.checks.change import Change
from relay.schema.checks.diff import diff
from relay.schema.checks.finding import Finding, Severity
from relay.schema.checks.lint import lint, lint_versions
from relay.schema.checks.plan import Status, Task
from relay.schema.checks.probe import Direction, Failure, Outcome, probe
from relay.schema.compatibility import Finding as Broken
from relay.schema.compatibility import findings
from relay.schema.compatibility.levels import Level

__all__ = ["Checked", "Comparison", "Incompatibility", "Problem", "check"]


@dataclass(frozen=True)
class Incompatibility:
    """A rule of the level that two versions break. direction: whose events who can't read."""

    direction: Direction
    broken: Broken

    @property
    def fix(self) -> str:
        """What to change in the new version, a sentence."""
        if self.direction is Direction.BACKWARD:
            return self.broken.reader_fix
        return self.broken.writer_fix

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        broken = self.broken
        return (
            f"{self.direction.words}: {broken.rule} at {broken.place}: {broken.rule.words}. "
            f"The reader has {broken.reader}; the writer has {broken.writer}. {self.fix}."
        )

    def to_json(self) -> dict[str, Any]:
        """The incompatibility for programs."""
        return {
            "direction": self.direction.value,
            "rule": self.broken.rule.value,
            "words": self.broken.rule.words,
            "path": self.broken.path,
            "field": self.broken.field,
            "reader": self.broken.reader,
            "writer": self.broken.writer,
            "fix": self.fix,
        }


@dataclass(frozen=True)
class Comparison:
    """A version beside an earlier one.

    failures: values that did not get across in a direction that the level promises. beyond: those
    of the other direction, and what could not be probed.
    """

    earlier: str
    incompatibilities: tuple[Incompatibility, ...]
    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]
    failures: tuple[Failure, ...]
    beyond: tuple[Failure, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing stops the version here; warnings do not."""
        return not (self.incompatibilities or self.failures or _errors(self.findings))


class Problem(StrEnum):
    """What stops a version whatever it is compared with."""

    CHANGED = "changed"
    DELETED = "deleted"
    DEMOTED = "demoted"
    REFUSED = "refused"


PROBLEMS = {Status.CHANGED: Problem.CHANGED, Status.DEMOTED: Problem.DEMOTED}


@dataclass(frozen=True)
class Checked:
    """The verdict on one version. changes: in place, of a version that was there before.

    findings: of lint on the version by itself; where it was there before, those that are new.
    problem: with refusal as the reason, where a registry would not take the schema for one.
    """

    task: Task
    changes: tuple[Change, ...] = ()
    findings: tuple[Finding, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    problem: Problem | None = None
    refusal: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the version may stay as it is; warnings do not stop it."""
        return (
            self.problem is None
            and not _errors(self.findings)
            and all(comparison.passed for comparison in self.comparisons)
        )


def check(task: Task, *, seconds: float = 5.0) -> Checked:
    """Compares a version with what it has to go with.

    seconds: for the probe, each way and for each earlier version.
    Raises CatalogInvalid when an earlier version is not an Avro schema.
    """
    if task.schema is None:
        return Checked(task, problem=Problem.DELETED)
    try:
        parsed = read(task.schema, Strictness.SPECIFICATION)
    except SchemaInvalid as error:
        return Checked(task, problem=Problem.REFUSED, refusal=str(error))
    found = lint(task.schema)
    changes: tuple[Change, ...] = ()
    if task.before is not None:
        changes = tuple(diff(task.before.schema, task.schema))
        known = {(finding.rule, finding.path) for finding in lint(task.before.schema)}
        found = [one for one in found if (one.rule, one.path) not in known]
        found += lint_versions(task.before.schema, task.schema)
    level = Level(task.level)
    return Checked(
        task,
        changes,
        tuple(found),
        tuple(
            _comparison(earlier, task.schema, parsed, level, seconds) for earlier in task.earlier
        ),
        PROBLEMS.get(task.status),
    )


def _comparison(
    earlier: Earlier, schema: Schema, parsed: Node, level: Level, seconds: float
) -> Comparison:
    try:
        old = read(earlier.schema)
    except SchemaInvalid as error:
        raise CatalogInvalid(f"{earlier.name} is not a schema: {error}. Look at it") from error
    promised = _promised(level)
    broken = []
    if Direction.BACKWARD in promised:
        found = findings(reader=parsed, writer=old)
        broken += [Incompatibility(Direction.BACKWARD, one) for one in found]
    if Direction.FORWARD in promised:
        found = findings(reader=old, writer=parsed)
        broken += [Incompatibility(Direction.FORWARD, one) for one in found]
    failures = probe(earlier.schema, schema, seconds=seconds)
    counted = [
        one
        for one in failures
        if one.direction in promised and one.outcome is not Outcome.NOT_PROBED
    ]
    return Comparison(
        earlier.name,
        tuple(broken),
        tuple(diff(earlier.schema, schema)),
        tuple(lint_versions(earlier.schema, schema)),
        tuple(counted),
        tuple(one for one in failures if one not in counted),
    )


def _promised(level: Level) -> frozenset[Direction]:
    return frozenset(
        direction
        for direction, promised in (
            (Direction.BACKWARD, level.new_reads_old),
            (Direction.FORWARD, level.old_reads_new),
        )
        if promised
    )


def _errors(found: Sequence[Finding]) -> bool:
    return any(finding.severity is Severity.ERROR for finding in found)
