"""The result of lint: a rule that is broken, where, and how to fix it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ERROR", "WARNING", "LintFinding", "Severity"]


class Severity(StrEnum):
    """An error stops a review, a warning should be looked at."""

    ERROR = "error"
    WARNING = "warning"


ERROR, WARNING = Severity.ERROR, Severity.WARNING


@dataclass(frozen=True)
class LintFinding:
    """A place that breaks a rule. path: JSONPath of the value in the payload.

    rule: its code, stable, for people to search and silence by. problem: what is wrong; fix: what
    to do; sentences.
    """

    rule: str
    severity: Severity
    path: str
    problem: str
    fix: str
