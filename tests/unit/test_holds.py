"""What is held waits in order, and what is due is tried in order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from relay.publish.holds import Hold, Holds

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
AGGREGATES = [("order", "1"), ("order", "2"), ("invoice", "1")]

Skip = Literal["hold", "skip"]
MODES: Sequence[Skip] = ("hold", "skip")


@st.composite
def held(draw: st.DrawFn, seq: int | None = None) -> Hold:
    """A hold of one of three aggregates, due or not."""
    state = draw(st.sampled_from(["failing", "held", "dead"]))
    number = draw(st.integers(1, 40)) if seq is None else seq
    next_at = NOW + timedelta(seconds=draw(st.integers(-5, 5))) if state == "failing" else None
    # An event stays one of its aggregate.
    aggregate = AGGREGATES[number % len(AGGREGATES)]
    return Hold(number, f"e{number}", aggregate, state, draw(st.integers(0, 5)), "why", next_at)


@given(held())
def test_a_hold_is_read_back_from_json(hold: Hold) -> None:
    read = Hold.from_json(json.loads(json.dumps(hold.to_json())))
    assert read == hold
    assert read.to_json() == hold.to_json()


@given(
    st.sampled_from(MODES),
    st.lists(st.lists(held(), max_size=4) | st.sets(st.integers(1, 40), max_size=6), max_size=12),
)
def test_holds_are_those_that_were_applied_last_and_not_released(
    mode: Skip, changes: list[list[Hold] | set[int]]
) -> None:
    holds, model = Holds(mode), dict[int, Hold]()
    for change in changes:
        if isinstance(change, set):
            holds.release(change)
            for seq in change:
                model.pop(seq, None)
        else:
            holds.apply(change)
            model.update({hold.seq: hold for hold in change})
    assert len(holds) == len(model)
    assert sorted(map(repr, holds)) == sorted(map(repr, model.values()))


@given(st.sampled_from(MODES), st.lists(held(), unique_by=lambda hold: hold.seq, max_size=25))
def test_an_aggregate_is_blocked_while_something_of_it_waits(mode: Skip, holds: list[Hold]) -> None:
    blocking = {h.aggregate for h in holds if mode == "hold" or h.state != "dead"}
    assert Holds(mode, holds).blocked() == blocking


@given(st.sampled_from(MODES), st.lists(held(), unique_by=lambda hold: hold.seq, max_size=25))
def test_a_run_is_what_waits_of_an_aggregate_in_order_up_to_a_dead_one(
    mode: Skip, holds: list[Hold]
) -> None:
    runs = {run[0].aggregate: run for run in Holds(mode, holds).due(NOW)}
    for aggregate in AGGREGATES:
        queue = sorted(hold for hold in holds if hold.aggregate == aggregate)
        if mode == "skip":
            queue = [hold for hold in queue if hold.state != "dead"]
        expected = []
        for hold in queue:
            if hold.state == "dead":
                break
            expected.append(hold)
        if expected and expected[0].next_attempt_at and expected[0].next_attempt_at > NOW:
            expected = []
        assert runs.get(aggregate, []) == expected


@given(st.sampled_from(MODES), st.lists(held(), unique_by=lambda hold: hold.seq, max_size=25))
def test_the_next_turn_is_that_of_the_head_that_is_due_first(mode: Skip, holds: list[Hold]) -> None:
    known = Holds(mode, holds)
    due = known.next_due()
    if due is None:
        # Nothing waits for a time: however late it gets, the same runs are due.
        assert known.due(NOW) == known.due(NOW + timedelta(days=1))
    else:
        early = {run[0].aggregate for run in known.due(due - timedelta(microseconds=1))}
        assert early < {run[0].aggregate for run in known.due(due)}


def test_a_dead_head_blocks_its_aggregate_until_somebody_decides() -> None:
    dead = Hold(1, "e1", ("order", "1"), "dead", 5)
    behind = Hold(2, "e2", ("order", "1"), "held")
    assert Holds("hold", [dead, behind]).due(NOW) == []
    assert Holds("skip", [dead, behind]).due(NOW) == [[behind]]
