"""The result of comparing table and topics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import NamedTuple

__all__ = ["EXAMPLES", "Example", "VerifyReport"]

# How many events of each kind are named.
EXAMPLES = 20

_ADVICE = {
    "lost": "committed events that are not in their topic. Keep the table, from which they can be "
    "published again; find out with `relay doctor` whether a topic was deleted or cut short",
    "duplicated": "surplus records. Consumers with an inbox still handle each event once; look for "
    "another relay or producer that writes to these topics (`relay doctor`)",
    "out_of_order": "events after a later one of their aggregate. Look for publishers that "
    "insert rows themselves, and for a sequence with a cache (`relay doctor`)",
    "wrong_flags": "events whose flags are not where the event is. The topics are right; run "
    "`relay recover` after a restore, otherwise report it with the lines below",
    "without_row": "published events without a row in the outbox. After a failover or a restore "
    "consumers handled changes that the database no longer has: compare them with their owners",
}


class Example(NamedTuple):
    """An event and what is wrong with it, in words."""

    event_id: str
    problem: str


@dataclass
class VerifyReport:
    """Counts of events, but duplicated and without_row: of records.

    events = in_topics + pending + held + expired + lost. examples: by the name of the count.
    duplicates_allowed: under at-least-once they are no fault.
    """

    events: int = 0
    in_topics: int = 0
    pending: int = 0
    held: int = 0
    expired: int = 0
    lost: int = 0
    duplicated: int = 0
    out_of_order: int = 0
    wrong_flags: int = 0
    without_row: int = 0
    duplicates_allowed: bool = False
    examples: dict[str, list[Example]] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """Whether table and topics agree."""
        duplicated = 0 if self.duplicates_allowed else self.duplicated
        return self.lost + duplicated + self.out_of_order + self.wrong_flags == 0

    def to_json(self) -> dict[str, int]:
        """The counts by name."""
        counts = {entry.name for entry in fields(self) if entry.type == "int"}
        return {name: value for name, value in asdict(self).items() if name in counts}

    def problems(self) -> Iterator[str]:
        """Lines with what is wrong, with which events, and what to do."""
        for name, advice in _ADVICE.items():
            count = getattr(self, name)
            if not count:
                continue
            yield f"{count} {advice}:"
            examples = self.examples.get(name, [])
            yield from (f"  {example.event_id}: {example.problem}" for example in examples)
            if count > len(examples):
                yield f"  and {count - len(examples)} more"
