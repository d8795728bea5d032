"""Records whose header names are not UTF-8, as clients in C, Go or Rust may write them, end no
process: Python's client can't give their headers."""

from __future__ import annotations

from relay.consume.dead_letters.reconciler import reconcile
from tests.foreign_client import produce
from tests.integration.consuming import Counted, World, act
from tests.relaying import Relay

HEADERS = [(b"ce_id", b"x1"), (b"\xff\xfe", b"v"), (b"ce_type", b"counted")]


def test_a_group_takes_it_for_poison_and_goes_on(world: World) -> None:
    # Given such a record between good ones: calls that are made often are made in another way
    world.send([("b", n) for n in range(2_000)])
    produce(world.bootstrap_servers, world.topic, b"a", world.value(1), HEADERS)
    group = world.new_group()
    group.handles(Counted)(act)
    world.until_idle(group)
    world.send([("a", 2)])
    world.until_idle(group)
    # Then it has a dead letter that says why, with its value
    assert world.numbers("a") == [2]
    ((event_id, error, value),) = world.rows(
        "select event_id, error, value from inbox.dead_letters"
    )
    assert event_id.startswith(f"{world.topic}[")
    assert "headers can't be read: a header's name is not UTF-8" in error
    assert value == world.value(1)
    # And the reconciler goes on after one in a dead-letter topic
    produce(world.bootstrap_servers, world.dlq, b"a", b"", HEADERS)
    reconcile(world.settings(), until_idle=True)
    outcomes = world.rows("select event_id, state from outbox.outcomes")
    assert outcomes == [(event_id, "dead")]


def test_verify_and_a_take_over_pass_it(relay: Relay) -> None:
    # Given such a record between events of the relay, and one whose id is not UTF-8
    relay.publish("a", 1)
    relay.must("run", "--until-idle")
    produce(relay.settings().kafka_bootstrap_servers, relay.topic, b"a", b"", HEADERS)
    produce(relay.settings().kafka_bootstrap_servers, relay.topic, b"a", b"", [(b"ce_id", b"\xff")])
    # When a worker takes its shards over, it publishes what is new once
    relay.publish("a", 2)
    relay.must("run", "--until-idle")
    assert relay.sql("select count(*) from outbox.deliveries") == [(2,)]
    # And verify names them as records that are no events
    found = relay.command("verify", "--json")
    assert found.returncode in (0, 1), found.stderr
    assert "Traceback" not in found.stderr
