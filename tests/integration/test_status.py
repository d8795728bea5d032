"""`relay status` shows how far shards and groups lag."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from relay.operate.status import read_status
from relay.postgres.connect import connect
from tests.relaying import Relay


def status(relay: Relay) -> dict[str, Any]:
    """The status, without the cost of a process."""
    settings = relay.settings()
    with connect(settings.database_url) as connection:
        return read_status(settings, connection).to_json()


def commit(relay: Relay, group: str, offsets: dict[int, int]) -> None:
    """Commits offsets of the event topic for a group."""
    consumer = Consumer(
        {
            "bootstrap.servers": relay.environment["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"],
            "group.id": group,
        }
    )
    consumer.commit(
        offsets=[TopicPartition(relay.topic, p, offset) for p, offset in offsets.items()],
        asynchronous=False,
    )
    consumer.close()


@pytest.mark.parametrize("page_rows", ["3", "20000"])
def test_lag_of_shards_is_what_is_fresh_after_their_positions(
    make_relay: Callable[..., Relay], page_rows: str
) -> None:
    # Given a relay that never ran, whether its positions will stand inside a page run or not
    relay = make_relay(page_rows=page_rows)
    for number in range(20):
        relay.publish(f"a{number}", number)
    found = status(relay)
    assert found["outbox"]["events"] == found["outbox"]["undelivered"] == 20
    assert found["outbox"]["oldest_undelivered_seconds"] > 0
    assert [shard["shard"] for shard in found["shards"]] == [0, 1]
    assert sum(shard["lag"] for shard in found["shards"]) == 20
    assert all(shard["position"] is None for shard in found["shards"])

    # When it has run, and three more are written
    relay.must("run", "--until-idle")
    idle = status(relay)
    for number in range(3):
        relay.publish(f"a{number}", number)

    # Then there is no lag at first, and then those three
    assert idle["outbox"] == {
        "events": 20, "undelivered": 0, "dead": 0, "discarded": 0,
        "oldest_undelivered_seconds": None, "pruned": 0,
    }  # fmt: skip
    assert [shard["lag"] for shard in idle["shards"]] == [0, 0]
    found = status(relay)
    assert found["outbox"]["undelivered"] == 3
    assert sum(shard["lag"] for shard in found["shards"]) == 3
    assert any(shard["position"] for shard in found["shards"])
    assert any(shard["worker"] for shard in found["shards"])


def test_events_that_can_t_be_published_are_undelivered_and_dead(relay: Relay) -> None:
    relay.insert("a", 1, "unheard_of")
    relay.publish("a", 2)
    relay.must("run", "--until-idle", EVENT_BUS_MAX_ATTEMPTS="1")
    found = status(relay)["outbox"]
    assert (found["undelivered"], found["dead"]) == (2, 1)
    assert found["oldest_undelivered_seconds"] > 0


def test_lag_of_a_group_is_in_records_and_ends_at_nothing(relay: Relay) -> None:
    # Given published events, none of which the group has read
    for number in range(10):
        relay.publish("a", number)
        if number % 3 == 0:
            relay.must("run", "--until-idle")
    relay.must("run", "--until-idle")
    records = relay.published()
    group = next(g for g in status(relay)["groups"] if g["group"] == "readers")
    assert group == {"group": "readers", "lag": 10, "parked": 0, "dead": 0}

    # When it has read some, then the others are left: markers of transactions are no records
    partition = records[0].partition
    commit(relay, "readers", {partition: records[6].offset + 1})
    assert status(relay)["groups"][0]["lag"] == 3
    commit(relay, "readers", {partition: records[9].offset + 1})
    assert status(relay)["groups"][0]["lag"] == 0
    # and the command prints the same, for scripts and for people
    assert json.loads(relay.must("status", "--json"))["groups"] == list(status(relay)["groups"])
    assert "readers" in relay.must("status")


def test_while_kafka_is_unavailable_the_outbox_is_still_shown(relay: Relay) -> None:
    relay.publish("a", 1)
    done = relay.command("status", "--json", EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9")
    assert done.returncode == 0
    status = json.loads(done.stdout)
    assert status["outbox"]["undelivered"] == 1
    assert {group["lag"] for group in status["groups"]} == {None}
    (line,) = done.stderr.splitlines()
    assert "lags are not known" in line
    shown = relay.command("status", EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9")
    assert "1 not published" in shown.stdout
    assert "unknown" in shown.stdout
