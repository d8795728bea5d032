"""The plan of a chaos run follows from its seed and has every kind of fault."""

from __future__ import annotations

import pytest

from tests.chaos.plan import KINDS, Fault, make_plan, read_plan


def test_the_same_seed_makes_the_same_plan() -> None:
    assert make_plan(7, 300) == make_plan(7, 300)
    assert make_plan(7, 300) != make_plan(8, 300)


@pytest.mark.parametrize("seed", range(20))
def test_five_minutes_have_every_kind_of_fault(seed: int) -> None:
    plan = make_plan(seed, 300)
    assert {fault.kind for fault in plan} == KINDS.keys()
    assert all(0 < fault.at < 300 for fault in plan)
    assert [fault.at for fault in plan] == sorted(fault.at for fault in plan)


def test_no_kind_comes_again_before_all_had_their_turn() -> None:
    plan = make_plan(3, 60, ["vacuum", "worker-kill", "writer-kill"], every=5)
    kinds = [fault.kind for fault in plan]
    assert len(kinds) == 11
    assert all(kinds.count(kind) >= 3 for kind in set(kinds))


def test_a_fault_lasts_as_long_as_its_kind_may() -> None:
    for fault in make_plan(1, 3000):
        assert KINDS[fault.kind].shortest <= fault.seconds <= KINDS[fault.kind].longest


def test_a_plan_in_words_is_read() -> None:
    assert read_plan("vacuum@9,worker-freeze@5:2.5:0.5") == [
        Fault(5, "worker-freeze", 2.5, 0.5),
        Fault(9, "vacuum", 0, 0),
    ]


@pytest.mark.parametrize("words", ["", "vacuum", "quake@5", "vacuum@x", "vacuum@1:2:3:4"])
def test_a_plan_that_is_none_is_refused(words: str) -> None:
    with pytest.raises(ValueError):
        read_plan(words)
