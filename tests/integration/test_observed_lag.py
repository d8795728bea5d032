"""Subscribers learn how far the relay and the groups are behind."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from relay.consume import source
from relay.consume import worker as group_process
from relay.observe import BatchPublished, Event, GroupLag
from relay.publish import worker as relay_worker
from tests.integration.consuming import Counted, World, act
from tests.relaying import Relay
from tests.stack import until


def test_a_batch_reports_the_age_of_its_oldest_event(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Event] = []
    monkeypatch.setattr(relay_worker, "log_event", seen.append)
    relay.sql(
        "select outbox.publish('counted', 'counter', 'a', '{\"number\": 1}',"
        " occurred_at => now() - interval '1 hour')"
    )

    with relay.working_here():
        relay.wait_until_delivered(1)
        until(lambda: [event for event in seen if isinstance(event, BatchPublished) and event.rows])

    (batch,) = [event for event in seen if isinstance(event, BatchPublished) and event.rows]
    assert batch.rows == 1
    assert batch.lag_seconds is not None
    assert 3600 <= batch.lag_seconds < 3900
    assert 0 < batch.seconds < 60


def test_a_group_reports_its_lag_until_it_is_at_the_end(
    tmp_path: Path,
    unique_name: str,
    database_url: str,
    bootstrap_servers: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[GroupLag] = []
    monkeypatch.setattr(source, "REPORT_LAG_EVERY_S", 0.05)
    monkeypatch.setattr(
        group_process, "log_event", lambda e: seen.append(e) if isinstance(e, GroupLag) else None
    )
    world = World(tmp_path, unique_name, database_url, bootstrap_servers, partitions=1)
    world.send([("a", number) for number in range(5)])
    released = threading.Event()
    group = world.new_group(batch=1)

    @group.handles(Counted)
    def wait(event: Counted, context: Any) -> None:
        if event.number == 2:
            assert released.wait(60)
        act(event, context)

    with world.running(group):
        # Events 2, 3 and 4 and the marker of their transaction are unsettled while 2 is handled.
        until(lambda: GroupLag(world.group, world.topic, 0, 4) in seen)
        released.set()
        until(lambda: [lag for lag in seen if lag.topic == world.topic][-1].offsets == 0)
    assert {lag.offsets for lag in seen if lag.topic == world.topic} <= {0, 1, 2, 3, 4, 5, 6}
    assert {lag.offsets for lag in seen if lag.topic != world.topic} == {0}


def test_an_offset_whose_commit_was_refused_is_committed_again(
    tmp_path: Path,
    unique_name: str,
    database_url: str,
    bootstrap_servers: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a group whose first commits the broker refuses
    world = World(tmp_path, unique_name, database_url, bootstrap_servers, partitions=1)
    group = world.new_group()
    group.handles(Counted)(act)
    refused: list[int] = []

    def offset_of(topic: str, partition: int, offset: int = -1001) -> TopicPartition:
        if topic == world.topic and offset > 0 and len(refused) < 3:
            refused.append(offset)
            return TopicPartition(topic, partition, offset, "x" * 5_000)
        return TopicPartition(topic, partition, offset)

    monkeypatch.setattr(source, "TopicPartition", offset_of)
    with world.running(group):
        # When all is done and the topic stays quiet
        world.send([("a", number) for number in range(5)])
        until(lambda: world.numbers("a") == list(range(5)))
        # Then the offset is committed all the same
        until(lambda: world.committed(world.topic) >= 5)
    assert len(refused) == 3
