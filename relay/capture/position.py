"""Positions: which transactions were read, as plain arithmetic on snapshots.

A snapshot names the transactions whose effects it sees (PostgreSQL documentation, "System
Information Functions", pg_snapshot). The transactions that committed between two
snapshots are those that the later one sees and the earlier one does not, whatever the order of
their ids or of row numbers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["BEGINNING", "Position", "Snapshot", "Step", "beyond"]


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

    def may_precede(self, later: Snapshot) -> bool:
        """Whether a server can have come from here to `later`: a transaction that is over stays
        so, and ids only grow."""
        return self.xmax <= later.xmax and not any(map(self.sees, later.in_progress))


# Sees no transaction at all.
BEGINNING = Snapshot(1, 1)


@dataclass(frozen=True, slots=True)
class Step:
    """A range of rows that is read at once.

    The rows that `upto` sees and `seen` does not, with `after` < seq <= `through`; `through` None
    means to the end. `recovering`: without rows that have a delivery or a hold already.
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
        """The position after the range."""
        if self.through is None:
            return Position(self.upto)
        return Position(self.seen, self.upto, self.through, self.recovering)

    def split(self, seq: int) -> tuple[Step, Step]:
        """The range to `seq` inclusive, and the rest."""
        return replace(self, through=seq), replace(self, after=seq)

    def to_json(self) -> dict[str, Any]:
        """The form in a position record."""
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
    """All rows that `seen` sees are done, and of those that `upto` sees also those to `after`."""

    seen: Snapshot
    upto: Snapshot | None = None
    after: int = 0
    recovering: bool = False

    def step(self, snapshot: Snapshot) -> Step:
        """The next step: the rest of a page run, or all up to `snapshot`."""
        return Step(self.seen, self.upto or snapshot, self.after, None, self.recovering)

    @property
    def last(self) -> Snapshot:
        """The latest snapshot that was read, in whole or in part."""
        return self.upto or self.seen

    def is_possible(self, now: Snapshot) -> bool:
        """Whether a server with the snapshot `now` can have been at the position before."""
        return self.last.may_precede(now)

    def to_json(self) -> dict[str, Any]:
        """The form in a position record."""
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


def beyond(positions: Sequence[Position]) -> dict[str, Any]:
    """Parameters of a query for the rows that at least one of the positions has not passed, and
    few others: a row with an xid of `in_progress` or of at least `xmax`, or a seq above `after`.

    Values, not an expression, let the planner know how few rows that is. positions: at least one.
    """
    # Inside a page run, the rest of it comes after a row and not after a transaction.
    known = [position.upto or position.seen for position in positions]
    return {
        "in_progress": sorted({str(xid) for seen in known for xid in seen.in_progress}),
        "xmax": str(min(seen.xmax for seen in known)),
        "after": min((each.after for each in positions if each.upto is not None), default=None),
    }
