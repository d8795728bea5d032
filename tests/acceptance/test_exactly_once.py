"""The promise: every committed event once, in order per aggregate, while workers are killed."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg
import pytest

from tests.acceptance.writers import write
from tests.relaying import Relay, end, kill_a_worker
from tests.stack import until

EVENTS = 10_000


@pytest.mark.timeout(240)
def test_sixteen_writers_and_three_killed_workers_lose_double_and_reorder_nothing(
    make_relay: Callable[..., Relay],
) -> None:
    # Given two workers, and a transaction that stays open for the whole test
    relay = make_relay(shards="4")
    supervisor = relay.start("run", "--workers", "2")
    with psycopg.connect(relay.database_url) as open_transaction:
        open_transaction.execute(
            "select outbox.publish('counted', 'counter', 'late', '{\"number\": 1}')"
        )
        try:
            until(lambda: "taken over" in relay.log())
            committed: list[int] = []
            writing = threading.Thread(
                target=lambda: committed.append(
                    write(
                        relay.database_url,
                        writers=16,
                        transactions=EVENTS,
                        aggregates=400,
                        rolled_back=0.05,
                    )
                )
            )
            writing.start()

            # When one of them is killed three times in the middle
            for part in (1, 2, 3):
                relay.wait_until_delivered(part * EVENTS // 5, timeout=120)
                kill_a_worker(supervisor.pid)
            writing.join()
            relay.wait_until_delivered(committed[0], timeout=60)
            open_transaction.commit()
            relay.wait_until_delivered(committed[0] + 1)
        finally:
            end(supervisor)

    # Then a read_committed consumer sees every committed event exactly once
    records = relay.published()
    rows = {row["id"]: row for row in relay.status()}
    assert len(rows) == committed[0] + 1
    assert sorted(record.event_id for record in records) == sorted(rows)
    # and in order per aggregate
    numbers: dict[str, list[int]] = {}
    for record in records:
        numbers.setdefault(record.key, []).append(rows[record.event_id]["payload"]["number"])
    for key, seen in numbers.items():
        assert seen == list(range(1, len(seen) + 1)), key
    # and every row's flags say where its record really is
    for record in records:
        row = rows[record.event_id]
        assert (row["topic"], row["partition"], row["kafka_offset"]) == (
            record.topic,
            record.partition,
            record.offset,
        )
