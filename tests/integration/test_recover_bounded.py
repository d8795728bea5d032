"""A recovery reads what came after the mirror, not the whole outbox and all topics."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg

from tests.integration.test_hazard_kafka_topics import delete_topic
from tests.relaying import Relay
from tests.stack import until

DELIVERED = 20_000


def flag_lookups(relay: Relay) -> int:
    """How often a flag was looked up, or read by a scan, so far."""
    ((count,),) = relay.sql(
        "select idx_scan + seq_tup_read from pg_stat_user_tables "
        "where relid = 'outbox.deliveries'::regclass"
    )
    return int(count)


def test_a_recovery_is_bounded_by_the_mirror(make_relay: Callable[..., Relay]) -> None:
    # Given many events that were delivered long ago, and some published by this relay
    relay = make_relay(shards="1")
    relay.sql(
        "with event as (insert into outbox.domain_events "
        "(event_type, aggregate_type, aggregate_id, payload) "
        "select 'counted', 'counter', 'a', '{\"number\": 1}' from generate_series(1, %s) "
        "returning seq) insert into outbox.deliveries (seq, topic) select seq, 'former' from event",
        [DELIVERED],
    )
    for number in range(30):
        relay.publish("a", number)
    relay.must("run", "--until-idle")
    # When the positions topic is lost
    delete_topic(relay, relay.positions_topic)
    relay.must("migrate")
    relay.publish("a", 30)
    before = flag_lookups(relay)
    with relay.running():
        until(lambda: len(relay.published()) == 31, timeout=60)
    # Then the old rows are not looked at again, and nothing is published twice
    assert flag_lookups(relay) - before < DELIVERED / 10
    assert len(relay.published()) == 31

    # And given a database that lacks the flags of the last transactions
    for number in range(31, 35):
        relay.publish("a", number)
    relay.must("run", "--until-idle")
    state = _state(relay)
    with relay.running():
        for number in range(35, 39):
            relay.publish("a", number)
            until(lambda: len(relay.published()) == number + 1, timeout=60)  # noqa: B023
    _go_back(relay, state)
    # When the shard is taken over
    done = relay.command("run", "--until-idle")
    # Then the topics are read from where they ended before the last flagged transaction
    assert done.returncode == 0, done.stderr
    assert "of 8 events in the topics 4 of this shard had no flag" in done.stderr
    assert len(relay.published()) == 39
    assert json.loads(relay.must("verify", "--json"))["lost"] == 0


def _state(relay: Relay) -> tuple[Any, ...]:
    """What the database knows of the shard."""
    ((position, number, read_from, flags),) = relay.sql(
        "select m.position::text, m.number, s.read_from::text, "
        "(select max(seq) from outbox.deliveries) "
        "from outbox.mirrors m join outbox.shards s using (shard)"
    )
    return position, number, read_from, flags


def _go_back(relay: Relay, state: tuple[Any, ...]) -> None:
    """As on a promoted standby that lagged."""
    position, number, read_from, flags = state
    with psycopg.connect(relay.database_url) as connection:
        connection.execute("delete from outbox.positions")
        connection.execute("insert into outbox.positions values (0, %s, %s)", [number, position])
        connection.execute("update outbox.shards set read_from = %s", [read_from])
        connection.execute("delete from outbox.deliveries where seq > %s", [flags])
