"""Hazards of batches: too slow for one transaction, too many held rows for one record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from relay.capture import reader
from tests.integration.majors import activate_major
from tests.relaying import SCHEMA_FIELDS, Relay
from tests.stack import until

ROWS = 4_000


def publish_many(relay: Relay, event_type: str, prefix: str, count: int, aggregates: int) -> None:
    relay.sql(
        "select outbox.publish(%s, 'counter', %s || n %% %s, jsonb_build_object('number', n)) "
        "from generate_series(1, %s) n",
        (event_type, prefix, aggregates, count),
    )


def test_a_converter_that_is_too_slow_for_one_transaction_makes_smaller_ones(
    make_relay: Callable[..., Relay],
) -> None:
    # Given a backlog whose conversion takes four times the transaction timeout
    relay = make_relay(shards="1", transaction_timeout_ms="1000")
    activate_major(relay)
    converter = relay.folder / "schemas" / relay.domain / "counted_v2.py"
    slow = "def up(payload):\n    time.sleep(0.001)"
    text = converter.read_text().replace("def up(payload):", slow, 1)
    assert slow in text
    converter.write_text("import time\n" + text)
    publish_many(relay, "counted", "k", ROWS, 50)
    # Then all of it is published, each event once under both versions
    with relay.running():
        relay.wait_until_delivered(2 * ROWS, timeout=120)
    ids = [record.event_id for record in relay.published()]
    assert len(ids) == len(set(ids)) == 2 * ROWS
    assert "in doubt" in relay.log()


def test_thousands_that_wait_for_a_schema_fit_the_position_record(
    make_relay: Callable[..., Relay],
) -> None:
    # Given events of thousands of aggregates that wait for their schema's registration
    relay = make_relay(shards="1", kafka_options='{"compression.type": "none"}')
    relay.add_event_type("counted.later", SCHEMA_FIELDS)
    with relay.running():
        relay.publish("ok", 0)
        relay.wait_until_delivered(1)
        publish_many(relay, "counted.later", "w", ROWS, ROWS)
        until(lambda: relay.sql("select count(*) from outbox.holds") == [(ROWS,)], timeout=60)
    # When all of them are due at once
    relay.sql("update outbox.holds set next_attempt_at = now()")
    with relay.running():
        tried = "select count(*) from outbox.holds where next_attempt_at > %s"
        ((latest,),) = relay.sql("select max(next_attempt_at) from outbox.holds")
        until(lambda: relay.sql(tried, (latest,)) == [(ROWS,)], timeout=60)
        # (other events are published meanwhile)
        relay.publish("ok", 1)
        relay.wait_until_delivered(2, timeout=30)
        # Then no transaction was refused, and all are published once the schema is there
        relay.set_up()
        relay.wait_until_delivered(ROWS + 2, timeout=120)
    assert "in doubt" not in relay.log()
    assert relay.sql("select count(*) from outbox.holds") == [(0,)]


def test_a_dead_event_that_is_replayed_is_found_among_many(
    make_relay: Callable[..., Relay],
) -> None:
    relay = make_relay(shards="1", max_attempts="1", on_dead="skip")
    count = 300
    with relay.running():
        for number in range(count):
            relay.insert(f"d{number}", number, "counted.unknown")
        until(
            lambda: (
                relay.sql("select count(*) from outbox.holds where state = 'dead'") == [(count,)]
            ),
            timeout=60,
        )
        relay.add_event_type("counted.unknown", SCHEMA_FIELDS)
        relay.set_up()
        ((event,),) = relay.sql("select event_id from outbox.holds order by seq offset 150 limit 1")
        # (for a second the worker believes that the type does not exist)
        until(lambda: relay.command("dlq", "replay", event) and relay.published(), timeout=30)
        relay.wait_until_delivered(1)
    assert [record.event_id for record in relay.published()] == [event]
    assert relay.sql("select count(*) from outbox.holds") == [(count - 1,)]


def test_a_page_of_large_rows_fits_the_memory(make_relay: Callable[..., Relay]) -> None:
    # Given 320 MB in rows that a worker can't know to be large
    relay = make_relay(shards="1")
    relay.sql(
        "select outbox.publish('counted', 'counter', 'k' || n, jsonb_build_object("
        "'number', n, 'note', repeat(md5(n::text), 10000))) from generate_series(1, 1000) n"
    )
    with relay.running() as worker:
        relay.wait_until_delivered(1000, timeout=120)
        status = Path(f"/proc/{worker.pid}/status").read_text()
    (peak,) = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")]
    assert peak < 400_000, f"{peak // 1024} MB"


def test_held_rows_that_do_not_fit_a_page_are_published_later_and_in_order(
    make_relay: Callable[..., Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given held rows of ten aggregates, ten times what is read at once
    monkeypatch.setattr(reader, "MOST_BYTES", 100_000)
    relay = make_relay(shards="1")
    relay.add_event_type("counted.later", SCHEMA_FIELDS)
    with relay.working_here():
        relay.sql(
            "select outbox.publish('counted.later', 'counter', 'k' || n % 10, jsonb_build_object("
            "'number', n, 'note', repeat('x', 20000))) from generate_series(1, 50) n"
        )
        until(lambda: relay.sql("select count(*) from outbox.holds") == [(50,)])
        # When all are due at once, and can be published
        relay.set_up()
        relay.wait_until_delivered(50, timeout=60)
    # Then each is published once, in the order of its aggregate
    published = relay.published()
    assert len({record.event_id for record in published}) == len(published) == 50
    order = {
        event_id: seq for seq, event_id in relay.sql("select seq, id from outbox.domain_events")
    }
    for key in {record.key for record in published}:
        seqs = [order[record.event_id] for record in published if record.key == key]
        assert seqs == sorted(seqs)
