"""Which member of a group acts on partitions that nobody has, and which those are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupState, TopicPartition

from relay.kafka.unassigned import unassigned

ALL = [("t", number) for number in range(4)]
NAMES = ("a", "b", None)


def group(state: ConsumerGroupState, *assigned: list[int]) -> Any:
    """A group as confluent_kafka describes it: members a and b, and one without a name."""
    return SimpleNamespace(
        state=state,
        members=[
            SimpleNamespace(
                group_instance_id=name,
                assignment=SimpleNamespace(
                    topic_partitions=[TopicPartition("t", number) for number in numbers]
                ),
            )
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
    described = group(ConsumerGroupState.STABLE, *assigned)
    assert unassigned(described, ALL, "a") == found
    assert unassigned(described, ALL, "b") == set()


@pytest.mark.parametrize(
    "state", sorted(set(ConsumerGroupState) - {ConsumerGroupState.STABLE}, key=str)
)
def test_a_group_that_rebalances_or_has_nobody_is_left_alone(state: ConsumerGroupState) -> None:
    assert unassigned(group(state, [], []), ALL, "a") == set()
    assert unassigned(group(state), ALL, "a") == set()
