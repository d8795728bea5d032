"""Which member of a group acts on partitions that nobody has, and which those are."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import pytest

from relay.kafka.unassigned import assignment, unassigned

ALL = [("t", number) for number in range(4)]
NAMES = ("a-77", "b-11", "rdkafka-33")


def encoded(numbers: list[int]) -> bytes:
    """An assignment of partitions of topic t, version 1, with user data after it."""
    partitions = struct.pack(f">i{len(numbers)}i", len(numbers), *numbers)
    return struct.pack(">hih", 1, 1, 1) + b"t" + partitions + struct.pack(">i", -1)


def group(state: str, *assigned: list[int]) -> Any:
    """A group as confluent_kafka describes it: members a and b, and one without an instance id."""
    return SimpleNamespace(
        state=state,
        members=[
            SimpleNamespace(id=name, assignment=encoded(numbers))
            for name, numbers in zip(NAMES, assigned, strict=False)
        ],
    )


@pytest.mark.parametrize(
    ("assigned", "found"),
    [
        (([0, 1], [2, 3]), set()),
        (([0, 1], [3]), {("t", 2)}),
        (([], [], []), set(ALL)),
        # (those of a member without a name are assigned too)
        (([0], [1], [2, 3]), set()),
    ],
)
def test_the_first_member_by_name_sees_what_nobody_has(
    assigned: tuple[list[int], ...], found: set[tuple[str, int]]
) -> None:
    described = group("Stable", *assigned)
    assert unassigned(described, ALL, "a") == found
    assert unassigned(described, ALL, "b") == set()


@pytest.mark.parametrize("state", ["PreparingRebalance", "CompletingRebalance", "Empty", "Dead"])
def test_a_group_that_rebalances_or_has_nobody_is_left_alone(state: str) -> None:
    assert unassigned(group(state, [], []), ALL, "a") == set()
    assert unassigned(group(state), ALL, "a") == set()


@pytest.mark.parametrize("cut", range(len(encoded([5, 6]))))
def test_an_assignment_in_another_format_is_no_error(cut: int) -> None:
    whole = encoded([5, 6])
    assert assignment(whole) == {("t", 5), ("t", 6)}
    assert assignment(whole[:cut]) in (set(), {("t", 5), ("t", 6)})
