"""Which fault happens when, from the seed alone."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["KINDS", "Fault", "Kind", "make_plan", "read_plan"]

# In these seconds after the writers have begun nothing is disturbed.
_WARM_UP_S: Final = 3.0
# Half of this is the longest time by which a fault is moved from its regular place.
_JITTER: Final = 0.8


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault. shortest, longest: how long it lasts, seconds."""

    name: str
    shortest: float = 0.0
    longest: float = 0.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a plan.

    at: seconds after the writers have begun. seconds: how long it lasts. choice: which of the
    possible targets it hits, from 0 to 1.
    """

    at: float
    kind: str
    seconds: float
    choice: float


KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("worker-kill"),
        Kind("worker-term"),
        Kind("worker-freeze", 0.3, 2.0),
        Kind("worker-freeze-long", 8.0, 12.0),
        Kind("worker-joins", 3.0, 8.0),
        Kind("worker-sessions-cut"),
        Kind("worker-database-frozen", 1.0, 7.0),
        Kind("worker-database-silent"),
        Kind("worker-database-reset"),
        Kind("worker-kafka-frozen", 1.0, 7.0),
        Kind("worker-kafka-silent"),
        Kind("worker-kafka-reset"),
        Kind("supervised-kill"),
        Kind("supervisor-kill"),
        Kind("consumer-kill"),
        Kind("consumer-term"),
        Kind("consumer-freeze", 0.3, 2.0),
        Kind("consumer-freeze-long", 8.0, 12.0),
        Kind("consumer-joins", 3.0, 8.0),
        Kind("consumer-sessions-cut"),
        Kind("consumer-database-frozen", 1.0, 7.0),
        Kind("consumer-database-silent"),
        Kind("consumer-database-reset"),
        Kind("consumer-kafka-frozen", 1.0, 7.0),
        Kind("consumer-kafka-silent"),
        Kind("consumer-kafka-reset"),
        Kind("reconciler-kill"),
        Kind("reconciler-freeze-long", 8.0, 12.0),
        Kind("writer-kill"),
        Kind("broker-kill", 0.2, 2.0),
        Kind("broker-term", 0.2, 2.0),
        Kind("broker-freeze", 1.0, 4.0),
        Kind("postmaster-kill", 0.2, 2.0),
        Kind("postgres-kill", 0.2, 2.0),
        Kind("postgres-immediate", 0.2, 2.0),
        Kind("postgres-freeze", 1.0, 5.0),
        Kind("registry-kill", 0.5, 4.0),
        Kind("registry-freeze", 1.0, 5.0),
        Kind("vacuum"),
        Kind("flags-locked", 1.0, 5.0),
    )
}


def make_plan(
    seed: int, seconds: float, kinds: Iterable[str] = KINDS, every: float = 7.0
) -> list[Fault]:
    """The faults of a run in order of time; the same for the same arguments.

    every: seconds from one fault to the next, on average; less where each kind would otherwise not
    get its turn. All kinds have their turn before one comes again.
    """
    chance = random.Random(f"chaos {seed}")
    names = sorted(kinds)
    room = max(0.0, seconds - _WARM_UP_S)
    # A plan of five minutes has every kind.
    count = max(1, int(room / every), min(len(names), int(room / 300 * len(KINDS))))
    pause = room / count
    faults = []
    for number, name in enumerate(_turns(chance, names, count)):
        kind = KINDS[name]
        early = chance.uniform(0, _JITTER) * pause
        faults.append(
            Fault(
                round(_WARM_UP_S + (number + 1) * pause - early - pause * (1 - _JITTER) / 2, 2),
                name,
                round(chance.uniform(kind.shortest, kind.longest), 2),
                round(chance.random(), 4),
            )
        )
    return sorted(faults, key=lambda fault: fault.at)


def read_plan(words: str) -> list[Fault]:
    """A plan in words, with commas between: `kind@at`, `kind@at:seconds`, `kind@at:seconds:choice`.

    Raises ValueError for anything else.
    """
    faults = []
    for word in words.split(","):
        kind, _, numbers = word.partition("@")
        at, seconds, choice, *more = [*map(float, numbers.split(":")), 0.0, 0.0]
        if kind not in KINDS or len(more) > 2:
            raise ValueError(f"{word!r} is not a fault, such as worker-freeze@5:2")
        faults.append(Fault(at, kind, seconds, choice))
    return sorted(faults, key=lambda fault: fault.at)


def _turns(chance: random.Random, names: Sequence[str], count: int) -> list[str]:
    turns: list[str] = []
    while len(turns) < count:
        turns += chance.sample(names, len(names))
    return turns[:count]
