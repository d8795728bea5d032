"""What lint finds: a value with the rule, the place, a sentence and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

__all__ = ["Finding", "Objection", "Rule", "Severity", "apply"]

Subject = TypeVar("Subject")


class Severity(StrEnum):
    """An error stops a review, a warning asks for a look."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Objection:
    """What a rule says about one place. problem: a sentence; fix: what to do, a sentence."""

    problem: str
    fix: str


@dataclass(frozen=True)
class Rule(Generic[Subject]):
    """A rule. code: stable, for people to search and silence by; check: None where all is well."""

    code: str
    severity: Severity
    check: Callable[[Subject], Objection | None]


@dataclass(frozen=True)
class Finding:
    """A place that breaks a rule. path: JSONPath of the value in the payload."""

    rule: str
    severity: Severity
    path: str
    problem: str
    fix: str

    def to_json(self) -> dict[str, str]:
        """The finding for `relay schemas lint --json`."""
        return {
            "rule": self.rule,
            "severity": self.severity.value,
            "path": self.path,
            "problem": self.problem,
            "fix": self.fix,
        }


def apply(rules: Iterable[Rule[Subject]], subjects: Iterable[tuple[str, Subject]]) -> list[Finding]:
    """Findings of each rule on each (path, subject), in the order of the subjects."""
    table = tuple(rules)
    return [
        Finding(rule.code, rule.severity, path, objection.problem, objection.fix)
        for path, subject in subjects
        for rule in table
        if (objection := rule.check(subject)) is not None
    ]
