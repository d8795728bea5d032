"""What is held waits in order, and what is due is tried in order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.publish.holds import Hold, Holds, State

# As time.monotonic().
NOW = 1_000.0
AGGREGATES = [("order", "1"), ("order", "2"), ("invoice", "1")]

Skip = Literal["hold", "skip"]
MODES: Sequence[Skip] = ("hold", "skip")


@st.composite
def held(draw: st.DrawFn, seq: int | None = None) -> Hold:
    """A hold of one of three aggregates, due or not."""
    state = draw(st.sampled_from(["failing", "held", "dead", "discarded"]))
    number = draw(st.integers(1, 40)) if seq is None else seq
    retry_in = draw(st.integers(-5, 5)) / 1 if state == "failing" else None
    # An event stays one of its aggregate.
    aggregate = AGGREGATES[number % len(AGGREGATES)]
    return Hold(number, f"e{number}", aggregate, state, draw(st.integers(0, 5)), "why", retry_in)


def known_to(mode: Skip, holds: Iterable[Hold]) -> Holds:
    """What a shard keeps of holds that it reads NOW."""
    known = Holds(mode)
    known.apply(holds, NOW)
    return known


def is_kept(mode: Skip, hold: Hold) -> bool:
    return hold.state != "discarded" and (mode == "hold" or hold.state != "dead")


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
            holds.apply(change, NOW)
            model.update({hold.seq: hold for hold in change})
    model = {seq: hold for seq, hold in model.items() if is_kept(mode, hold)}
    assert len(holds) == len(model)
    assert sorted(map(repr, holds)) == sorted(map(repr, model.values()))


@given(st.sampled_from(MODES), st.lists(held(), unique_by=lambda hold: hold.seq, max_size=25))
def test_an_aggregate_is_blocked_while_something_of_it_waits(mode: Skip, holds: list[Hold]) -> None:
    blocking = {hold.aggregate for hold in holds if is_kept(mode, hold)}
    assert known_to(mode, holds).blocked() == blocking


@given(st.sampled_from(MODES), st.lists(held(), unique_by=lambda hold: hold.seq, max_size=25))
def test_a_run_is_what_waits_of_an_aggregate_in_order_up_to_a_dead_one(
    mode: Skip, holds: list[Hold]
) -> None:
    runs = {run[0].aggregate: run for run in known_to(mode, holds).due(NOW)}
    for aggregate in AGGREGATES:
        queue = sorted(h for h in holds if h.aggregate == aggregate and is_kept(mode, h))
        expected = []
        for hold in queue:
            if hold.state == "dead":
                break
            expected.append(hold)
        if expected and expected[0].retry_in and expected[0].retry_in > 0:
            expected = []
        assert runs.get(aggregate, []) == expected


@given(st.sampled_from(MODES), st.lists(held(), unique_by=lambda hold: hold.seq, max_size=25))
def test_the_next_turn_is_that_of_the_head_that_is_due_first(mode: Skip, holds: list[Hold]) -> None:
    known = known_to(mode, holds)
    due = known.next_due()
    if due is None:
        # Nothing waits for a time: however late it gets, the same runs are due.
        assert known.due(NOW) == known.due(NOW + 86_400)
    else:
        early = {run[0].aggregate for run in known.due(due - 0.001)}
        assert early < {run[0].aggregate for run in known.due(due)}


def test_a_dead_head_blocks_its_aggregate_until_somebody_decides() -> None:
    dead = Hold(1, "e1", ("order", "1"), "dead", 5)
    behind = Hold(2, "e2", ("order", "1"), "held")
    assert known_to("hold", [dead, behind]).due(NOW) == []
    assert known_to("skip", [dead, behind]).due(NOW) == [[behind]]


@pytest.mark.parametrize(("mode", "state"), [("skip", "dead"), *((m, "discarded") for m in MODES)])
def test_what_others_have_passed_is_not_kept_in_memory(mode: Skip, state: State) -> None:
    passed = [Hold(seq, f"e{seq}", ("order", str(seq)), state, 5) for seq in range(1_000)]
    known = known_to(mode, [replace(hold, state="failing", retry_in=0.0) for hold in passed])
    assert len(known) == 1_000
    known.apply(passed, NOW)
    assert (len(known), known.due(NOW), known.next_due()) == (0, [], None)


def test_many_holds_of_one_aggregate_are_kept_in_order_whatever_order_they_come_in() -> None:
    # Quadratic time would be an hour.
    count = 100_000
    shuffled = [number * 7919 % count for number in range(count)]
    holds = known_to("hold", (Hold(seq, f"e{seq}", ("order", "1"), "held") for seq in shuffled))
    ((first, *_, last),) = holds.due(NOW)
    assert (len(holds), first.seq, last.seq) == (count, 0, count - 1)
    for seq in range(count):
        holds.release([seq])
    assert len(holds) == 0
    assert holds.due(NOW) == []


@given(st.sampled_from(MODES), st.lists(held(), unique_by=lambda hold: hold.seq, max_size=25))
def test_what_was_not_due_is_found_once_it_is(mode: Skip, holds: list[Hold]) -> None:
    known = known_to(mode, holds)
    for seconds in range(-6, 7):
        now = NOW + seconds
        assert known.due(now) == known_to(mode, holds).due(now)
