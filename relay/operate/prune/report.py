"""What a run of `relay prune` deleted, and what stays."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Part", "PruneReport"]


@dataclass(slots=True)
class Part:
    """One thing that is pruned by itself: a partition, the rows of a table, a group's inbox.

    deleted: events or rows; with --dry-run, those that would be. gone: whether all of it is, as a
    dropped partition. stays: reason -> how many stay for it; 0 where that was not counted.
    """

    what: str
    deleted: int = 0
    gone: bool = False
    stays: Counter[str] = field(default_factory=Counter)

    def line(self) -> str:
        """The part in a sentence."""
        if self.gone:
            return f"{self.what}: goes with {self.deleted:,} events"
        reasons = ", ".join(
            reason if count == 0 else f"{count:,} {reason}" for reason, count in self.stays.items()
        )
        if not self.deleted:
            return f"{self.what}: " + (f"stays: {reasons}" if reasons else "nothing to delete")
        return f"{self.what}: {self.deleted:,} go" + (f"; stays: {reasons}" if reasons else "")


@dataclass(frozen=True, slots=True)
class PruneReport:
    """The parts in the order in which they were looked at."""

    dry_run: bool
    parts: tuple[Part, ...]

    def to_json(self) -> dict[str, Any]:
        """The document of `relay prune --json`."""
        return {
            "dry_run": self.dry_run,
            "parts": [
                {
                    "what": part.what,
                    "deleted": part.deleted,
                    "gone": part.gone,
                    "stays": [
                        {"reason": reason, "count": count} for reason, count in part.stays.items()
                    ],
                }
                for part in self.parts
            ],
        }
