"""Hazard: two owners that fence each other, since neither asks the group whose the shard is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import Producer

from relay.kafka.topics import open_admin
from relay.observe import Events
from relay.outages import Outage
from relay.publish.producer import transactional_id
from relay.publish.takeover.membership import Membership
from tests.relaying import Relay
from tests.stack import until


class Polled:
    """A membership that a thread polls, as a worker's main thread does."""

    def __init__(self, relay: Relay, seat: str) -> None:
        self.membership = Membership(
            relay.settings(), seat, lambda _: None, lambda _: None, Outage("Kafka", Events()),
            open_admin(relay.settings()),
        )  # fmt: skip

    def poll_until(self, condition: Callable[[], bool]) -> None:
        until(lambda: self.membership.poll(0.05) or condition())


def test_the_group_says_that_a_shard_is_no_longer_ones_own_once_another_has_its_seat(
    relay: Relay,
) -> None:
    # Given a member with both shards
    first = Polled(relay, f"{relay.name}-seat")
    first.poll_until(lambda: first.membership.shards == {0, 1})
    assert first.membership.confirm(0) is True
    # When another takes its seat, as after a freeze that the group took for an end
    second = Polled(relay, f"{relay.name}-seat")
    second.poll_until(lambda: second.membership.shards == {0, 1})
    # Then the group denies the first one its shards before it has heard of anything else
    assert first.membership.shards == {0, 1}
    assert first.membership.confirm(0) is False
    assert second.membership.confirm(0) is True
    second.membership.close()
    first.membership.close()


def test_a_fenced_worker_does_not_fence_the_new_owner_before_the_group_has_answered(
    make_relay: Callable[..., Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a worker whose group does not answer it
    relay = make_relay(shards="1")
    monkeypatch.chdir(relay.folder)
    answers: list[bool] = []
    answer = False

    def confirm(self: Membership, shard: int) -> bool:
        answers.append(answer)
        return answer

    monkeypatch.setattr(Membership, "confirm", confirm)
    with relay.working_here():
        relay.publish("a", 1)
        relay.wait_until_delivered(1)
        # When another owner fences it
        owner = Producer(
            {
                "bootstrap.servers": relay.environment["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"],
                "transactional.id": transactional_id(relay.name, 0),
            }
        )
        owner.init_transactions(10)
        relay.publish("a", 2)
        until(lambda: len(answers) >= 3)
        # Then it leaves the shard alone, and the owner can go on
        assert relay.sql("select epoch from outbox.shards") == [(1,)]
        owner.begin_transaction()
        owner.produce(relay.topic, b"", b"other", 0)
        owner.commit_transaction(10)
        # and takes it again as soon as the group says that it may
        answer = True
        relay.wait_until_delivered(2)
    assert relay.sql("select epoch from outbox.shards") == [(2,)]
