"""A rebalance leaves no shard in doubt for good (H53), and none without an owner (H75)."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import psycopg
import pytest
from confluent_kafka import Consumer

from relay.publish.takeover.membership import Membership
from tests.relaying import Relay, end
from tests.stack import until


def cut_off_workers(relay: Relay) -> None:
    """Ends the workers' connections to the database, which puts all of their shards in doubt."""
    relay.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where application_name in ('relay capture', 'relay shards') "
        "and datname = current_database()"
    )


def test_shards_in_doubt_while_a_worker_joins_are_published_again(
    make_relay: Callable[..., Relay],
) -> None:
    # Given workers on two machines
    relay = make_relay(shards="4")
    folders = [relay.folder / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
    relay.start("run", cwd=folders[0])
    relay.start("run", "--workers", "2", cwd=folders[1])
    for number in range(10):
        relay.publish(f"before-{number}", number)
    relay.wait_until_delivered(10)
    # When the database drops them again and again while a third machine joins
    relay.start("run", cwd=folders[2])
    until_then = time.monotonic() + 8
    while time.monotonic() < until_then:
        cut_off_workers(relay)
        time.sleep(0.15)
    # Then every shard publishes afterwards
    for number in range(40):
        relay.publish(f"after-{number}", number)
    relay.wait_until_delivered(50, timeout=30)


def test_a_generation_that_is_over_ends_no_shard_that_stays(
    make_relay: Callable[..., Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a worker, and a coordinator that refuses its generation as during a rebalance
    relay = make_relay(shards="1")
    monkeypatch.chdir(relay.folder)
    refused: list[int] = []
    confirm = Membership.confirm

    def refuse_twice(membership: Membership, shard: int) -> bool:
        if len(refused) >= 2:
            return confirm(membership, shard)
        refused.append(shard)
        stays = membership._consumer
        member_of_nothing = Consumer(
            {
                "bootstrap.servers": relay.environment["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"],
                "group.id": f"relay.{relay.name}",
            }
        )
        try:
            membership._consumer = member_of_nothing
            return confirm(membership, shard)
        finally:
            membership._consumer = stays
            member_of_nothing.close()

    monkeypatch.setattr(Membership, "confirm", refuse_twice)
    with relay.working_here():
        relay.publish("a", 1)
        relay.wait_until_delivered(1)
        # When its shard is in doubt
        cut_off_workers(relay)
        # Then it asks until the group confirms the shard, and goes on
        relay.publish("a", 2)
        relay.wait_until_delivered(2)
    assert refused == [0, 0]


def test_shards_that_a_worker_gave_up_and_died_before_joining_again_get_an_owner(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a worker that dies as soon as the group takes shards from it
    # (the session outlasts the wait, so that no timeout makes the group share them out again)
    relay = make_relay(shards="4", session_timeout_ms="20000")
    folders = [relay.folder / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    first = relay.start("run", cwd=folders[0], module="tests.integration.dies_giving_up")
    for number in range(20):
        relay.publish(f"before-{number}", number)
    relay.wait_until_delivered(20)
    # When another worker joins, and the first one comes back under its name
    relay.start("run", cwd=folders[1])
    assert first.wait(30) == -signal.SIGKILL
    relay.start("run", cwd=folders[0])
    # Then all shards have an owner
    for number in range(20):
        relay.publish(f"after-{number}", number)
    relay.wait_until_delivered(40, timeout=40)
    assert "are assigned to no member" in relay.log()


def test_status_and_doctor_name_a_shard_that_nobody_works_on(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a relay whose worker has ended, and an event that waits
    relay = make_relay(shards="1")
    worker = relay.start("run")
    relay.publish("a", 1)
    relay.wait_until_delivered(1)
    assert shards(relay)[0]["unowned_seconds"] is None
    # (renewed though there is nothing to publish)
    (renewed,) = renewals(relay)
    until(lambda: renewals(relay)[0] > renewed)
    end(worker)
    relay.publish("a", 2)
    # When the session timeout of 2 s is over
    until(lambda: shards(relay)[0]["unowned_seconds"] is not None)
    # Then both say so
    assert shards(relay)[0]["unowned_seconds"] > 2
    done = relay.command("doctor")
    assert done.returncode == 1
    assert "shard 0 has had no worker for" in done.stdout
    assert "none for" in relay.must("status")
    # and no longer once somebody works on it
    with relay.running():
        relay.wait_until_delivered(2)
        assert shards(relay)[0]["unowned_seconds"] is None
        assert "1 shards are worked on" in relay.must("doctor")


def shards(relay: Relay) -> list[dict[str, float | None]]:
    """The shards of `relay status`, without the cost of a process."""
    from relay.operate.status import read_status

    with psycopg.connect(relay.database_url, autocommit=True) as connection:
        found: list[dict[str, float | None]] = read_status(relay.settings(), connection).to_json()[
            "shards"
        ]
        return found


def renewals(relay: Relay) -> list[float]:
    """When each shard was last shown to be worked on."""
    return [row[0] for row in relay.sql("select updated_at from outbox.shards order by shard")]
