"""Whether a new schema goes with the earlier versions of its subject.

Source: Apache Avro 1.12 specification, "Schema Resolution"; Confluent Schema Registry
documentation, "Compatibility Types".
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from relay.schema.avro.nodes import Node
from relay.schema.compatibility import Finding, findings

__all__ = ["Level", "problems"]


class Level(StrEnum):
    """How a new version must go with earlier ones: which reads which, and how far back."""

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
    """Why `new` may not follow `earlier`, a message for each reason; empty when it may.

    earlier: (version, schema), oldest first. A level that is not transitive looks at the
    last of them only. The messages come in the order of versions, directions and places, and
    each names its version, direction, path, rule, both sides, and what would fix `new`.
    """
    found = []
    for version, old in earlier if level.transitive else earlier[-1:]:
        if level.new_reads_old:
            found += [_new_fails(version, one) for one in findings(reader=new, writer=old)]
        if level.old_reads_new:
            found += [_old_fails(version, one) for one in findings(reader=old, writer=new)]
    return found


def _new_fails(version: int, finding: Finding) -> str:
    sides = f"The new schema has {finding.reader}; version {version} has {finding.writer}"
    because = "".join(f" {_reason(one)} {one.reader_fix}." for one in finding.because)
    return (
        f"the new schema can't read version {version}: {_broken(finding)}. {sides}. "
        f"{finding.reader_fix}.{because}"
    )


def _old_fails(version: int, finding: Finding) -> str:
    sides = f"Version {version} has {finding.reader}; the new schema has {finding.writer}"
    because = "".join(f" {_reason(one)} {one.writer_fix}." for one in finding.because)
    return (
        f"version {version} can't read the new schema: {_broken(finding)}. {sides}. "
        f"{finding.writer_fix}.{because}"
    )


def _broken(finding: Finding) -> str:
    return f"{finding.rule} at {finding.place}: {finding.rule.words}"


def _reason(finding: Finding) -> str:
    """Why the branch of a union that was meant does not fit, without reasons of its own."""
    return (
        f"The branch fails with {finding.rule} at {finding.place}: "
        f"{finding.reader} for {finding.writer}."
    )
