"""What is said about the copies of the positions topic, and about topics that have grown."""

from __future__ import annotations

from typing import Any, cast

import pytest

from relay.errors import ConfigurationInvalid
from relay.kafka import topics
from relay.kafka.topics import Cluster, TopicState
from relay.publish.pinned import _compare_partitions, positions_problems
from relay.settings import load_settings

TOPIC = "relay.outbox.positions"


def cluster(*, copies: int = 3, known: int = 3, **partitions: int) -> Cluster:
    return Cluster(
        "c", 2, {TOPIC: 4, **partitions}, known_brokers=known, copies={TOPIC: copies}, answered_by=1
    )


def problems(
    monkeypatch: pytest.MonkeyPatch, found: Cluster, policy: str = "compact", min_insync: int = 2
) -> tuple[str, ...]:
    state = TopicState(4, 1_000_000, policy, min_insync)
    monkeypatch.setattr(topics, "states", lambda *_: {TOPIC: state})
    settings = load_settings(database_url="postgresql://-", kafka_bootstrap_servers="-")
    return positions_problems(cast(Any, None), settings, found)


def test_a_compacted_topic_with_three_copies_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems(monkeypatch, cluster()) == ("",)
    assert problems(monkeypatch, cluster(copies=1, known=1), min_insync=1) == ("",)


def test_what_could_lose_the_positions_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    policy, *others = problems(monkeypatch, cluster(), policy="delete")
    assert "cleanup.policy=compact" in policy
    assert not others
    policy, few = problems(monkeypatch, cluster(copies=2), min_insync=1)
    assert not policy
    assert "2 of 3 copies" in few
    policy, weak = problems(monkeypatch, cluster(), min_insync=1)
    assert not policy
    assert "min.insync.replicas=2" in weak


def test_a_topic_that_has_grown_is_a_warning_and_a_smaller_one_an_error() -> None:
    found = cluster(**{"events.orders": 6, "events.bills": 4})
    (warning,) = _compare_partitions(found, {"events.orders": 4, "events.bills": 4}, TOPIC, 4)
    assert "events.orders has 6 partitions and was pinned at 4" in warning
    with pytest.raises(ConfigurationInvalid, match=r"events\.bills has 4"):
        list(_compare_partitions(found, {"events.bills": 5}, TOPIC, 4))
    # More partitions of the positions topic would be more shards.
    with pytest.raises(ConfigurationInvalid, match=f"{TOPIC} has 4"):
        list(_compare_partitions(found, {}, TOPIC, 3))
