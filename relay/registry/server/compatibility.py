"""Whether a new schema goes with the earlier versions of its subject.

Source: Apache Avro 1.12 specification, "Schema Resolution"; Confluent Schema Registry
documentation, "Compatibility Types".
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import Schema

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


def problems(level: Level, new: Schema, earlier: Sequence[tuple[int, Schema]]) -> list[str]:
    """Why `new` may not follow `earlier`, a sentence for each; empty when it may.

    earlier: (version, schema), oldest first. A level that is not transitive looks at the
    last of them alone.
    """
    found = []
    for version, old in earlier if level.transitive else earlier[-1:]:
        if level.new_reads_old and (reason := _mismatch(reader=new, writer=old)):
            found.append(f"the new schema can't read version {version}: {reason}")
        if level.old_reads_new and (reason := _mismatch(reader=old, writer=new)):
            found.append(f"version {version} can't read the new schema: {reason}")
    return found


def _mismatch(reader: Schema, writer: Schema) -> str | None:
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    result = checker.get_compatibility(reader, writer)
    if result.compatibility is SchemaCompatibilityType.compatible:
        return None
    kinds = sorted({kind.value for kind in result.incompatibilities})
    return (
        f"{', '.join(kinds)} at {', '.join(sorted(result.locations))}"
        f" ({'; '.join(sorted(result.messages))})"
    )
