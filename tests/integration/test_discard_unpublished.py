"""A dead event that can never be published is discarded, and its aggregate goes on without it."""

from __future__ import annotations

import json
from collections.abc import Callable

from relay.consume.dead_letters.discard import discard as discard_all
from relay.consume.dead_letters.replay import replay as replay_all
from relay.consume.dead_letters.store import ALL_STATES, Filter, find
from relay.operate.status import read_status
from relay.operate.verify import verify
from relay.postgres.connect import connect
from tests.relaying import Relay, kill
from tests.stack import until

QUICK = {"backoff_initial_ms": "50", "backoff_max_ms": "100", "max_attempts": "2", "shards": "1"}
WHY = "the order was a test"
# Seconds for a worker to start on a busy machine.
STARTED = 60.0


def publish_misfit(relay: Relay, aggregate: str) -> str:
    """Writes an event that does not fit its schema; its id."""
    row = relay.sql(
        "select outbox.publish('counted', 'counter', %s, '{\"number\": \"x\"}')", (aggregate,)
    )
    return str(row[0][0])


def correct(relay: Relay, event_id: str) -> None:
    """What the table's owner does to a wrong payload."""
    query = "update outbox.domain_events set payload = '{\"number\": 0}' where id = %s"
    relay.sql(query, (event_id,))


def discard(relay: Relay, event_id: str) -> None:
    """What `relay dlq discard` does, without its start-up time."""
    with connect(relay.database_url) as connection:
        found = find(connection, Filter(event_ids=[event_id]))
        assert discard_all(connection, found, WHY) == (found, [])


def replay(relay: Relay, event_id: str) -> None:
    with connect(relay.database_url) as connection:
        found = find(connection, Filter(event_ids=[event_id], states=ALL_STATES))
        assert len(replay_all(relay.settings(), connection, found)) == 1


def states(relay: Relay) -> dict[str, str]:
    return dict(relay.sql("select event_id, state from outbox.holds"))


def counted(relay: Relay) -> dict[str, int]:
    """What `relay verify` counts but for events that are in their topic."""
    # How many attempts an event has now says nothing about former ones.
    found = verify(relay.settings().model_copy(update={"max_attempts": 100})).counts
    return {name: n for name, n in found.items() if n and name not in {"events", "in_topics"}}


def published_ids(relay: Relay) -> list[str]:
    return [record.event_id for record in relay.published()]


def test_later_events_go_on_in_order_and_everybody_sees_what_was_discarded(
    make_relay: Callable[..., Relay],
) -> None:
    # Given two dead events of one aggregate, and later ones that wait
    relay = make_relay(**QUICK)
    with relay.running():
        first, *waiting = publish_misfit(relay, "a"), relay.publish("a", 1), relay.publish("a", 2)
        second, last = publish_misfit(relay, "a"), relay.publish("a", 3)
        until(lambda: states(relay).get(first) == "dead", timeout=STARTED)
        # When the first is discarded, but for a reason
        refused = relay.command("dlq", "discard", first)
        assert refused.returncode == 1
        assert "Give a --reason" in refused.stderr
        relay.must("dlq", "discard", first, "--group", "relay", "--reason", WHY)
        # Then the later ones go out up to the next dead one, and after that is discarded all do
        until(lambda: states(relay).get(second) == "dead")
        assert published_ids(relay) == waiting
        discard(relay, second)
        until(lambda: published_ids(relay) == [*waiting, last])
        until(lambda: states(relay) == {first: "discarded", second: "discarded"})
        relay.wait_until_delivered(3)
    # and it is shown everywhere, as neither waiting nor lost
    relay.must("run", "--until-idle")
    delivery = json.loads(relay.must("event", "show", first, "--json"))["delivery"]
    assert delivery["discarded"]["reason"] == WHY
    assert delivery["dead_letter"]
    assert counted(relay) == {"discarded": 2}
    with connect(relay.database_url) as connection:
        outbox = read_status(relay.settings(), connection).outbox
        assert (outbox.undelivered, outbox.dead, outbox.discarded) == (0, 0, 2)
        assert find(connection, Filter()) == []
        listed = find(connection, Filter(states=ALL_STATES))
        assert {(each.state, each.discard_reason) for each in listed} == {("discarded", WHY)}
        # The time of the failure is that of the last attempt.
        assert all(each.failed_at > each.first_failed_at for each in listed)


def test_a_worker_killed_between_kafkas_commit_and_the_flags_discards_it_once_and_loses_nothing(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a dead event and one that waits, and a worker that can't write flags
    relay = make_relay(**QUICK)
    worker = relay.start("run")
    dead, waiting = publish_misfit(relay, "a"), relay.publish("a", 1)
    until(lambda: sorted(states(relay).values()) == ["dead", "held"], timeout=STARTED)
    with relay.locked("outbox.deliveries"):
        # When the dead one is discarded, the other is published, and the worker is killed there
        discard(relay, dead)
        until(lambda: published_ids(relay) == [waiting])
        kill(worker)
    assert states(relay) == {dead: "failing", waiting: "held"}
    after = relay.publish("a", 2)
    # Then its successor writes both, publishes nothing twice, and goes on
    relay.must("run", "--until-idle")
    assert states(relay) == {dead: "discarded"}
    assert published_ids(relay) == [waiting, after]
    assert counted(relay) == {"discarded": 1}


def test_a_discarded_event_stays_so_through_a_recovery_until_a_person_replays_it(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a dead event that is discarded while no worker runs
    relay = make_relay(**QUICK)
    dead, waiting = publish_misfit(relay, "a"), relay.publish("a", 1)
    ended = relay.command("run", "--until-idle")
    assert (ended.returncode, "published 0, 1 dead, 1 held" in ended.stderr) == (0, True)
    discard(relay, dead)
    # When the position is lost as well
    relay.sql("delete from outbox.positions")
    correct(relay, dead)  # It would be published now.
    assert "published 1, 0 dead, 0 held" in relay.command("run", "--until-idle").stderr
    # Then a recovery publishes the other only
    assert states(relay) == {dead: "discarded"}
    assert published_ids(relay) == [waiting]
    # and a replay by its id publishes it after all, after the later one, which is nobody's fault
    replay(relay, dead)
    relay.must("run", "--until-idle")
    assert (states(relay), published_ids(relay)) == ({}, [waiting, dead])
    assert counted(relay) == {}


def test_dead_events_that_others_pass_are_replayed_or_discarded_though_no_worker_remembers_them(
    make_relay: Callable[..., Relay],
) -> None:
    # Given on_dead skip, two dead events that others have passed, and a worker that came later
    relay = make_relay(**QUICK, on_dead="skip")
    useless, mended = publish_misfit(relay, "a"), publish_misfit(relay, "a")
    passing = relay.publish("a", 1)
    relay.must("run", "--until-idle")
    assert published_ids(relay) == [passing]
    with relay.running():
        relay.publish("b", 1)
        relay.wait_until_delivered(2, timeout=STARTED)
        # When one is discarded, and the other is corrected and replayed
        discard(relay, useless)
        correct(relay, mended)
        replay(relay, mended)
        # Then the one is passed for good and the other is published
        relay.wait_until_delivered(3)
        until(lambda: states(relay) == {useless: "discarded"})
    assert counted(relay) == {"discarded": 1}
