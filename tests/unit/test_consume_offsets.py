"""Offsets are committed up to the first unfinished record and never beyond it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.consume.partition import AssignedPartition, Offsets


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int]]:
    """Steps of one partition: rising offsets with gaps, some passed over, finished in any order."""
    offsets = sorted(draw(st.sets(st.integers(0, 60), max_size=25)))
    steps: list[tuple[str, int]] = []
    running: list[int] = []
    for offset in offsets:
        if draw(st.booleans()):
            steps.append(("begin", offset))
            running.append(offset)
        else:
            steps.append(("pass_over", offset))
        while running and draw(st.booleans()):
            chosen = draw(st.integers(0, len(running) - 1))
            steps.append(("finish", running.pop(chosen)))
    return steps


@given(histories())
def test_nothing_at_or_above_the_committed_offset_is_finished_only_by_luck(
    steps: list[tuple[str, int]],
) -> None:
    offsets = Offsets()
    seen: set[int] = set()
    unfinished: set[int] = set()
    last: int | None = None
    for step, offset in steps:
        getattr(offsets, step)(offset)
        if step != "finish":
            seen.add(offset)
        if step == "begin":
            unfinished.add(offset)
        unfinished -= {offset} if step == "finish" else set()
        committable = offsets.committable()
        # Exactly: the first unfinished record, or the place behind all that was seen.
        assert committable == (min(unfinished) if unfinished else max(seen) + 1)
        assert last is None or committable >= last
        assert offsets.unfinished == len(unfinished)
        last = committable


def test_an_offset_that_goes_back_is_refused() -> None:
    offsets = Offsets()
    offsets.begin(5)
    assert [offset for offset in range(8) if offsets.passed(offset)] == [0, 1, 2, 3, 4, 5]

    with pytest.raises(ValueError, match="offset 5 came after 5"):
        offsets.begin(5)


def test_before_anything_is_read_there_is_nothing_to_commit() -> None:
    assert Offsets().committable() is None
    assert not Offsets().passed(0)


def test_an_offset_that_was_not_committed_is_committed_again() -> None:
    partition = AssignedPartition("events.orders", 0, "server")
    partition.begin(4)
    partition.start()
    partition.stop(4, finished=True)
    assert partition.take_committable(again=False) == 5
    assert partition.take_committable(again=False) is None
    partition.not_committed()
    assert partition.take_committable(again=False) == 5


def test_a_log_that_went_back_commits_nothing_until_what_was_read_before_is_settled() -> None:
    # Given a record that is with a lane when the log goes back to one before it
    former = AssignedPartition("events.orders", 0, "server")
    former.begin(7)
    assert former.start()
    fresh = AssignedPartition("events.orders", 0, "server", former=former)
    fresh.begin(5)
    assert fresh.start()
    fresh.stop(5, finished=True)
    fresh.pass_over(8)
    # Then an offset after it waits for it
    assert fresh.take_committable(again=True) is None
    # also where the log goes back once more
    last = AssignedPartition("events.orders", 0, "server", former=fresh)
    last.pass_over(9)
    assert last.take_committable(again=True) is None
    former.stop(7, finished=True)
    assert last.take_committable(again=True) == 10


def test_what_was_read_before_a_log_went_back_is_revoked_with_the_partition() -> None:
    former = AssignedPartition("events.orders", 0, "server")
    former.begin(7)
    fresh = AssignedPartition("events.orders", 0, "server", former=former)
    assert former.start()
    fresh.revoke()
    assert not fresh.wait_for_running(0.01)
    former.stop(7, finished=False)
    assert fresh.wait_for_running(0.01)
    assert not former.start()
