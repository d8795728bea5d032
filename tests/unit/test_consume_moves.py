"""However a group's handlers change, wherever its offsets stand then, it acts on each event once.

A model of one key's events in one partition, read by one member after the other. Real are which
records a member takes and how far it commits; the inbox is the set of what was acted on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.consume.majors import Bridge, Majors
from relay.consume.partition import Offsets
from relay.consume.record import Record

TYPES = ("paid", "paid.v2", "paid.v3")


@dataclass(frozen=True)
class Stay:
    """One member's time. read: records that it reads; done: of what it took, events that it gets
    to; committed: of its steps, after how many it commits last."""

    handled: frozenset[str]
    read: int
    done: int
    committed: int


def majors(handled: frozenset[str]) -> Majors:
    """What a group with these handlers takes; of several the newest bridges."""
    convert: Any = None
    bridges = {
        source: Bridge(source, max(handled), {}, convert)
        for source in TYPES
        if source not in handled
    }
    return Majors(set(handled), bridges)


def record(offset: int, event_id: str, event_type: str, original: str, copies: list[str]) -> Record:
    headers = {"ce_id": event_id, "ce_type": event_type, "ce_copies": ",".join(copies)}
    if event_type != original:
        headers = {
            "ce_type": event_type,
            "ce_id": f"{event_id}/{event_type}",
            "ce_originalid": event_id,
            "ce_originaltype": original,
        }
    pairs = tuple((name, value.encode()) for name, value in headers.items())
    return Record.read("events.orders", 0, offset, key=b"a", value=b"", headers=pairs)


@st.composite
def topics(draw: st.DrawFn) -> list[Record]:
    """Events under one to three major versions, copies before their originals."""
    records: list[Record] = []
    for number in range(draw(st.integers(1, 5))):
        original = draw(st.sampled_from(TYPES))
        copies = [t for t in TYPES if t != original and draw(st.booleans())]
        for event_type in [*copies, original]:
            records.append(record(len(records), f"e{number}", event_type, original, copies))
    return records


STAYS = st.builds(
    Stay,
    handled=st.sets(st.sampled_from(TYPES), min_size=1).map(frozenset),
    read=st.integers(0, 15),
    done=st.integers(0, 5),
    committed=st.integers(0, 20),
)


@settings(max_examples=1000)
@given(topics(), st.lists(STAYS, max_size=5), st.sets(st.sampled_from(TYPES), min_size=1))
def test_each_event_is_acted_on_once_and_in_order_whoever_reads_it(
    topic: list[Record], stays: list[Stay], last: set[str]
) -> None:
    acted: list[str] = []
    position = 0
    # The last member reads everything.
    for stay in [*stays, Stay(frozenset(last), len(topic), len(topic), 3 * len(topic))]:
        position = _stay(topic, position, stay, acted)
    assert acted == list(dict.fromkeys(record.event_id for record in topic))


def _stay(topic: list[Record], position: int, stay: Stay, acted: list[str]) -> int:
    """Lets a member read from `position` and act; the offset that it has committed."""
    takes, copied, offsets = majors(stay.handled).takes, set[str](), Offsets()
    waiting: deque[Record] = deque()
    for found in topic[position : position + stay.read]:
        if takes(found, copied, replay=False):
            offsets.begin(found.offset)
            waiting.append(found)
        else:
            offsets.pass_over(found.offset)
    committable = [offsets.committable()]
    for _ in range(min(stay.done, len(waiting))):
        handled = waiting.popleft()
        if handled.event_id not in acted:
            acted.append(handled.event_id)
        offsets.finish(handled.offset)
        committable.append(offsets.committable())
    committed = committable[min(stay.committed, len(committable) - 1)]
    return position if committed is None else committed
