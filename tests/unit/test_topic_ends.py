"""The ends of topics: one shard asks, the others go on with what is known."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any, cast

import pytest

from relay.kafka.topics import TopicState
from relay.publish import ends
from relay.publish.ends import TopicEnds

STATES = {name: TopicState(2, 1_000_000, "delete") for name in ("orders", "bills")}


class Broker:
    """Answers how far partitions go; `answers` holds it back."""

    def __init__(self) -> None:
        self.requests: list[list[tuple[str, int]]] = []
        self.answers = threading.Event()
        self.answers.set()
        self.asked = threading.Event()

    def read_ends(
        self, _: Any, places: Iterable[tuple[str, int]], *, undecided: bool
    ) -> Mapping[tuple[str, int], int]:
        assert undecided
        self.requests.append(sorted(places))
        self.asked.set()
        assert self.answers.wait(20)
        return dict.fromkeys(self.requests[-1], 7)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    found = Broker()
    monkeypatch.setattr(ends, "read_ends", found.read_ends)
    return found


def test_all_topics_of_a_batch_are_one_request(broker: Broker) -> None:
    found = TopicEnds(cast(Any, None), lambda: STATES).of({"orders", "bills", "gone"})
    assert found == {"orders": {0: 7, 1: 7}, "bills": {0: 7, 1: 7}, "gone": {}}
    assert broker.requests == [[("bills", 0), ("bills", 1), ("orders", 0), ("orders", 1)]]


def test_while_one_shard_asks_the_others_go_on_with_what_is_known(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic_ends = TopicEnds(cast(Any, None), lambda: STATES)
    topic_ends.of({"orders"})
    # Given ends that are stale, and a broker that does not answer
    topic_ends._asked_at["orders"] = float("-inf")
    broker.answers.clear()
    broker.asked.clear()
    one = threading.Thread(target=lambda: topic_ends.of({"orders"}))
    one.start()
    assert broker.asked.wait(20)
    # Then another shard does not wait
    found: list[Any] = []
    other = threading.Thread(target=lambda: found.append(topic_ends.of({"orders"})))
    other.start()
    other.join(10)
    assert found == [{"orders": {0: 7, 1: 7}}]
    broker.answers.set()
    one.join(20)
    assert len(broker.requests) == 2
