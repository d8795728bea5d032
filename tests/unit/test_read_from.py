"""Where a recovery begins to read the topics."""

from __future__ import annotations

import pytest

from relay.publish.record import Ends
from relay.publish.takeover.read_from import Noted, TopicEnd, starts

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


def test_what_is_noted_is_the_form_in_the_database() -> None:
    end = TopicEnd("first", {0: 7})
    assert starts({"events.a": end.to_json()}, {"events.a": end}) == {"events.a": {0: 7}}
