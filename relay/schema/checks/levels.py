"""Domains whose compatibility level promises something else than in the base."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from relay.schema.catalog import Catalog
from relay.schema.checks.base import Base
from relay.schema.compatibility.levels import Level

__all__ = ["LevelChange", "levels_changed", "lost"]


@dataclass(frozen=True, order=True)
class LevelChange:
    """A domain under another level than in the base. accepted: it may promise less."""

    domain: str
    was: Level
    now: Level
    accepted: bool = False

    @property
    def loosened(self) -> bool:
        """Something is not promised any more; something else may be promised instead."""
        return any(lost(self.was, self.now))

    @property
    def passed(self) -> bool:
        """Nothing is lost, or that was accepted."""
        return self.accepted or not self.loosened

    def sentence(self, against: str) -> str:
        """What changed and what to do. against: the base's name."""
        text = (
            f"The compatibility level of domain {self.domain} is {self.now}; in {against} it is "
            f"{self.was}. All versions here are judged by {self.now}."
        )
        if not self.loosened:
            return text
        text += f" It promises less: {'; '.join(lost(self.was, self.now))}."
        if self.accepted:
            return f"{text} That was accepted."
        return f"{text} Take it back, or accept it with --accept-level {self.domain}."

    def to_json(self, against: str) -> dict[str, Any]:
        """The change for `relay schemas check --format json`."""
        accepted = self.loosened and self.accepted
        more = {"loosened": self.loosened, "accepted": accepted, "sentence": self.sentence(against)}
        return asdict(self) | more


def lost(was: Level, now: Level) -> Iterator[str]:
    """What `was` promises and `now` does not, in words; nothing where it is as strict."""
    if was.new_reads_old and not now.new_reads_old:
        yield "consumers on a new version may fail on events of earlier ones"
    if was.old_reads_new and not now.old_reads_new:
        yield "consumers on an earlier version may fail on events of a new one"
    if was.transitive and not now.transitive and now is not Level.NONE:
        yield "a new version is compared only with the latest, not with every earlier one"


def levels_changed(
    catalog: Catalog, base: Base, accepted: Collection[str]
) -> tuple[LevelChange, ...]:
    """The domains of the catalog under another level than their event types have in the base.

    accepted: domains that may promise less.
    """
    changed = set()
    for name, was in base.event_types.items():
        if name in catalog.event_types and was.level is not None:
            domain = catalog.domains[catalog.event_types[name].domain]
            if was.level != domain.compatibility:
                levels = Level(was.level), Level(domain.compatibility)
                changed.add(LevelChange(domain.name, *levels, domain.name in accepted))
    return tuple(sorted(changed))
