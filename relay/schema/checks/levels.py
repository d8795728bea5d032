"""Whether a domain's compatibility level promises less than it did, and what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from relay.schema.catalog import Catalog
from relay.schema.checks.base import Base
from relay.schema.compatibility.levels import Level

__all__ = ["LevelChange", "levels_changed", "lost"]


@dataclass(frozen=True, order=True)
class LevelChange:
    """A domain whose versions are judged by another level than in the base."""

    domain: str
    was: Level
    now: Level

    @property
    def loosened(self) -> bool:
        """Whether anything is promised no more; something else may be promised instead."""
        return any(lost(self.was, self.now))


def lost(was: Level, now: Level) -> Iterator[str]:
    """What `was` promises and `now` does not, in words; nothing where it is as strict."""
    if was.new_reads_old and not now.new_reads_old:
        yield "consumers on a new version may fail on events of earlier ones"
    if was.old_reads_new and not now.old_reads_new:
        yield "consumers on an earlier version may fail on events of a new one"
    if was.transitive and not now.transitive and now is not Level.NONE:
        yield "a new version is compared only with the latest, not with every earlier one"


def levels_changed(catalog: Catalog, base: Base) -> list[LevelChange]:
    """The domains of the catalog under another level than their event types have in the base."""
    return sorted(
        {
            LevelChange(now.domain, Level(was.level), level)
            for name, was in base.event_types.items()
            if (now := catalog.event_types.get(name)) is not None
            and was.level not in {None, level := Level(catalog.domains[now.domain].compatibility)}
        }
    )
