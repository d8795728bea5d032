"""Where a recovery begins to read the topics."""

from __future__ import annotations

import pytest

from relay.publish.record import Ends
from relay.publish.takeover.read_from import Noted, TopicEnd, is_settled, starts

NOTED: Noted = {"events.a": {"id": "first", "offsets": {"0": 7, "1": 0}}}


@pytest.mark.parametrize(
    ("noted", "found", "begin"),
    [
        # A topic goes on where the ends were
        (NOTED, {"events.a": TopicEnd("first", {0: 9, 1: 4})}, {"events.a": {0: 7, 1: 0}}),
        (NOTED, {"events.a": TopicEnd("first", {0: 7, 1: 0})}, {"events.a": {0: 7, 1: 0}}),
        # one that was recreated is read from its beginning, however long it is
        (NOTED, {"events.a": TopicEnd("second", {0: 9, 1: 4})}, {"events.a": {0: 0, 1: 0}}),
        (NOTED, {"events.a": TopicEnd("first", {0: 5, 1: 0})}, {"events.a": {0: 0, 1: 0}}),
        # as are new topics and partitions
        (NOTED, {"events.b": TopicEnd("other", {0: 9})}, {"events.b": {0: 0}}),
        (NOTED, {"events.a": TopicEnd("first", {0: 9, 2: 3})}, {"events.a": {0: 7, 2: 0}}),
        # and a topic that is gone is not read
        (NOTED, {}, {}),
        (None, {"events.a": TopicEnd("first", {0: 9})}, {"events.a": {0: 0}}),
    ],
)
def test_a_topic_is_read_from_what_is_noted_of_it(
    noted: Noted | None, found: dict[str, TopicEnd], begin: Ends
) -> None:
    assert starts(noted, found) == begin


@pytest.mark.parametrize(
    ("identifier", "partition", "epoch", "settled"),
    [
        ("first", 0, 3, True),
        # The partition has had no leader since, or the topic was recreated
        ("first", 0, 4, False),
        ("second", 0, 3, False),
        # or something from before was open
        ("first", 1, 3, False),
        # or the broker does not tell.
        ("first", 1, -1, False),
    ],
)
def test_nothing_is_undone_while_a_partition_keeps_its_leader(
    identifier: str, partition: int, epoch: int, settled: bool
) -> None:
    noted: Noted = {"events.a": {"id": "first", "offsets": {"0": 7, "1": 0}, "epochs": {"0": 3}}}
    assert is_settled(noted, "events.a", identifier, partition, epoch) == settled
    assert not is_settled(NOTED, "events.a", identifier, partition, epoch)
    assert not is_settled({}, "events.a", identifier, partition, epoch)
