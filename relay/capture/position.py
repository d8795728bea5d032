"""Positions: which transactions have been read, as plain arithmetic on snapshots.

A snapshot names the transactions whose effects it sees (PostgreSQL documentation, "System
Information Functions", pg_snapshot). What committed between two snapshots is what the later one
sees and the earlier one does not, whatever the order of the transactions' ids or row numbers.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["BEGINNING", "Position", "Snapshot", "Step"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A `pg_snapshot`.

    xmin: lowest transaction id that was in progress. xmax: one above the highest completed id.
    in_progress: ids between the two that were in progress, ascending.
    """

    xmin: int
    xmax: int
    in_progress: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.xmin <= self.xmax:
            raise ValueError(f"not a snapshot: xmin {self.xmin}, xmax {self.xmax}")
        if any(not self.xmin <= xid < self.xmax for xid in self.in_progress):
            raise ValueError(f"not a snapshot: {self} lists ids outside of xmin and xmax")
        if any(a >= b for a, b in zip(self.in_progress, self.in_progress[1:], strict=False)):
            raise ValueError(f"not a snapshot: {self} lists ids out of order")

    @classmethod
    def parse(cls, text: str) -> Snapshot:
        """Reads PostgreSQL's form `xmin:xmax:xid,xid,...`; raises ValueError for anything else."""
        xmin, xmax, listed = text.split(":")
        return cls(
            int(xmin), int(xmax), tuple(int(xid) for xid in listed.split(",")) if listed else ()
        )

    def __str__(self) -> str:
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, self.in_progress))}"

    def sees(self, xid: int) -> bool:
        """Whether the effects of a committed transaction are visible (pg_visible_in_snapshot)."""
        if xid < self.xmin:
            return True
        if xid >= self.xmax:
            return False
        found = bisect_left(self.in_progress, xid)
        return found == len(self.in_progress) or self.in_progress[found] != xid


# Sees no transaction at all.
BEGINNING = Snapshot(1, 1)


@dataclass(frozen=True, slots=True)
class Step:
    """A range of rows that was read at once.

    The rows that `upto` sees and `seen` does not, with `after` < seq <= `through`; `through` None
    means to the end. `recovering`: without those that have a delivery or a hold already.
    """

    seen: Snapshot
    upto: Snapshot
    after: int = 0
    through: int | None = None
    recovering: bool = False

    def holds(self, xid: int, seq: int) -> bool:
        """Whether a committed row lies in the range."""
        return (
            not self.seen.sees(xid)
            and self.upto.sees(xid)
            and seq > self.after
            and (self.through is None or seq <= self.through)
        )

    def position(self) -> Position:
        """Where reading goes on once the range is done."""
        if self.through is None:
            return Position(self.upto)
        return Position(self.seen, self.upto, self.through, self.recovering)

    def split(self, seq: int) -> tuple[Step, Step]:
        """The range to `seq` inclusive, and the rest."""
        return replace(self, through=seq), replace(self, after=seq)

    def to_json(self) -> dict[str, Any]:
        """As it stands in a position record."""
        return {
            "seen": str(self.seen),
            "upto": str(self.upto),
            "after": self.after,
            "through": self.through,
            "recovering": self.recovering,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Step:
        """Reads what to_json wrote; raises KeyError or ValueError for anything else."""
        return cls(
            Snapshot.parse(value["seen"]),
            Snapshot.parse(value["upto"]),
            value["after"],
            value["through"],
            value["recovering"],
        )


@dataclass(frozen=True, slots=True)
class Position:
    """Everything that `seen` sees is done; inside `upto`, also the rows to seq `after`."""

    seen: Snapshot
    upto: Snapshot | None = None
    after: int = 0
    recovering: bool = False

    def step(self, snapshot: Snapshot) -> Step:
        """What is to be read next: the rest of a page run, or all up to `snapshot`."""
        return Step(self.seen, self.upto or snapshot, self.after, None, self.recovering)

    def to_json(self) -> dict[str, Any]:
        """As it stands in a position record."""
        return {
            "seen": str(self.seen),
            "upto": None if self.upto is None else str(self.upto),
            "after": self.after,
            "recovering": self.recovering,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Position:
        """Reads what to_json wrote; raises KeyError or ValueError for anything else."""
        return cls(
            Snapshot.parse(value["seen"]),
            None if value["upto"] is None else Snapshot.parse(value["upto"]),
            value["after"],
            value["recovering"],
        )
