"""Compatibility levels: checks a new schema against the earlier versions of its subject.

Source: Apache Avro 1.12 specification, "Schema Resolution"; Confluent Schema Registry
documentation, "Compatibility Types".
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from operator import attrgetter

from relay.schema.avro.nodes import Node
from relay.schema.compatibility import Finding, findings

__all__ = ["Level", "problems"]


class Level(StrEnum):
    """Which versions of a subject must be able to read which, and how far back."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"

    @property
    def new_reads_old(self) -> bool:
        """Consumers on the new version read what was written with the old one."""
        return self.name.startswith(("BACKWARD", "FULL"))

    @property
    def old_reads_new(self) -> bool:
        """Consumers on the old version read what is written with the new one."""
        return self.name.startswith(("FORWARD", "FULL"))

    @property
    def transitive(self) -> bool:
        """Against every earlier version, not only the latest."""
        return self.name.endswith("_TRANSITIVE")


def problems(level: Level, new: Node, earlier: Sequence[tuple[int, Node]]) -> list[str]:
    """Returns a message for each reason why `new` must not follow `earlier`; empty if it may.

    earlier: (version, schema), oldest first; levels that are not transitive check the last only.
    The messages are ordered by version, direction and place, and name both sides and a fix of
    `new`.
    """
    found = []
    for version, old in earlier if level.transitive else earlier[-1:]:
        if level.new_reads_old:
            broken = findings(reader=new, writer=old)
            found += [_message(version, one, new_reads_old=True) for one in broken]
        if level.old_reads_new:
            broken = findings(reader=old, writer=new)
            found += [_message(version, one, new_reads_old=False) for one in broken]
    return found


def _message(version: int, finding: Finding, *, new_reads_old: bool) -> str:
    new, old = "the new schema", f"version {version}"
    reader, writer = (new, old) if new_reads_old else (old, new)
    # Only the new schema can still be changed.
    fix = attrgetter("reader_fix" if new_reads_old else "writer_fix")
    because = "".join(f" {_reason(one)} {fix(one)}." for one in finding.because)
    return (
        f"{reader} can't read {writer}: {finding.rule} at {finding.place}: {finding.rule.words}. "
        f"{reader.capitalize()} has {finding.reader}; {writer} has {finding.writer}. "
        f"{fix(finding)}.{because}"
    )


def _reason(finding: Finding) -> str:
    """Why the nearest branch of a union does not fit; its own reasons are left out."""
    return (
        f"The branch fails with {finding.rule} at {finding.place}: "
        f"{finding.reader} for {finding.writer}."
    )
