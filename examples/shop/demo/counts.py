"""How far everything is, read in one statement and so at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from relay.postgres.sqlfile import load

__all__ = ["Counts", "GroupCount", "count"]


@dataclass(frozen=True)
class GroupCount:
    """Events that a group wants of all that were written, and those that it has acted on."""

    wanted: int
    consumed: int


@dataclass(frozen=True)
class Counts:
    """Rows so far. dead and resolved are the outbox's flags; dead_letters is what groups wrote."""

    orders: int
    events: int
    published: int
    parked: int
    dead_letters: int
    dead: int
    resolved: int
    groups: dict[str, GroupCount]

    @property
    def settled(self) -> bool:
        """Whether everything is published, and acted on or given up by every group."""
        missing = sum(group.wanted - group.consumed for group in self.groups.values())
        return self.published == self.events and missing == self.dead_letters and not self.parked

    def describe(self) -> str:
        """One line for people."""
        groups = ", ".join(
            f"{name} {group.consumed}/{group.wanted}" for name, group in self.groups.items()
        )
        return (
            f"{self.orders} orders, {self.published}/{self.events} events published, "
            f"consumed: {groups}; {self.parked} parked, {self.dead} dead, "
            f"{self.resolved} resolved"
        )


def count(connection: psycopg.Connection[Any], wanted: Mapping[str, Sequence[str]]) -> Counts:
    """Counts now. wanted: group -> the event types that it has handlers for."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(load(__package__, "count_progress.sql")).fetchone()
    assert row is not None
    written: dict[str, int] = row.pop("written") or {}
    consumed: dict[str, int] = row.pop("consumed") or {}
    groups = {
        group: GroupCount(sum(written.get(kind, 0) for kind in kinds), consumed.get(group, 0))
        for group, kinds in wanted.items()
    }
    return Counts(**row, events=sum(written.values()), groups=groups)
