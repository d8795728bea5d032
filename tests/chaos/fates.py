"""What becomes of an event in a consumer group; decided by the event's name alone."""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

__all__ = ["ALWAYS", "AT_ONCE", "GROUPS", "Fate", "fate_of"]

# Group -> the event types that it acts on.
GROUPS: Final = {"ledger": ("posted", "copied"), "mirror": ("posted",)}

# Numbers of failures: until somebody fixes the handler; the same, and the first one is the last.
ALWAYS: Final = 99
AT_ONCE: Final = -1


class Fate(NamedTuple):
    """How often an event fails in a group; group is empty where it fails in none."""

    group: str = ""
    failures: int = 0

    @property
    def is_doomed(self) -> bool:
        """Whether it becomes a dead letter."""
        return self.failures in (ALWAYS, AT_ONCE)


# Of a thousand events so many: two failures pass in the lane, five are parked in between.
_SHARES: Final = (
    (15, Fate("ledger", 2)),
    (15, Fate("mirror", 2)),
    (6, Fate("ledger", 5)),
    (6, Fate("mirror", 5)),
    (3, Fate("ledger", ALWAYS)),
    (3, Fate("mirror", ALWAYS)),
    (2, Fate("ledger", AT_ONCE)),
)


def fate_of(aggregate: str, number: int) -> Fate:
    """The fate of the event with this number of an aggregate."""
    digest = hashlib.sha256(f"{aggregate} {number}".encode()).digest()
    place = int.from_bytes(digest[:4], "big") % 1000
    for share, fate in _SHARES:
        if place < share:
            return fate
        place -= share
    return Fate()
