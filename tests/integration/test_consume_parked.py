"""Parked queues: their order, and that a slow or busy key keeps no other from going on."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from relay.consume import Fatal, attempt, parked_queues
from relay.consume.dead_letters.replay import replay
from relay.consume.dead_letters.store import Filter, find
from relay.consume.parked_queues import BEGINNING
from relay.consume.record import Record
from tests.integration.consuming import Counted, World, act
from tests.stack import until

PARKED = "select count(*) from inbox.parked"
NUMBERED = pytest.mark.parametrize("numbered", [True, False], ids=["numbered", "unnumbered"])


class Broken:
    """A handler that fails until it is repaired, or for some keys."""

    def __init__(self, *keys: str) -> None:
        self.repaired = threading.Event()
        self.attempts: list[tuple[str, int, int]] = []
        self._keys = keys

    def __call__(self, event: Counted, context: Any) -> None:
        self.attempts.append((event.aggregate_id, event.number, context.attempt))
        if not self.repaired.is_set() and (not self._keys or event.aggregate_id in self._keys):
            raise RuntimeError("broken")
        act(event, context)


@contextmanager
def locked(world: World, *keys: str) -> Iterator[None]:
    """Another transaction has the locks of keys, as a handler in another member would."""
    with world.connect() as other, other.transaction():
        for key in keys:
            other.execute(
                "select pg_advisory_xact_lock(inbox.queue(%s, %s, %s))",
                (world.group, world.topic, key.encode()),
            )
        yield


def test_a_key_that_is_busy_elsewhere_keeps_no_other_waiting(world: World) -> None:
    # Given one lane, and a key that another transaction has
    group = world.new_group(lanes=1)
    group.handles(Counted)(act)
    with world.running(group):
        with locked(world, "a"):
            world.send([("a", 1), ("b", 1), ("a", 2), ("c", 1)])
            # Then the others are acted on
            until(lambda: (world.numbers("b"), world.numbers("c")) == ([1], [1]))
            world.send([("b", 2), ("a", 3)])
            until(lambda: world.numbers("b") == [1, 2])
            assert world.numbers("a") == []
        # And its own in their order, once it is free
        until(lambda: world.numbers("a") == [1, 2, 3])
        until(lambda: world.committed(world.topic) >= 6)
    assert world.rows("select count(*) from inbox.dead_letters") == [(0,)]


@pytest.mark.parametrize("batch", [1, 50])
def test_keys_that_are_busy_now_and_then_keep_their_order(world: World, batch: int) -> None:
    # Given failures, and locks that come and go
    chance = random.Random(7)
    group = world.new_group(lanes=2, batch=batch)

    @group.handles(Counted)
    def fail_at_random(event: Counted, context: Any) -> None:
        if chance.random() < 0.05:
            raise RuntimeError("one of twenty")
        act(event, context)

    keys = [f"k{n}" for n in range(8)]
    world.send([(key, n) for n in range(40) for key in keys])
    with world.running(group, max_attempts=1000, backoff_initial_ms=10):
        for _ in range(25):
            with locked(world, *chance.sample(keys, 3)):
                time.sleep(chance.random() / 10)
        until(lambda: world.rows("select count(*) from effects") == [(320,)])
    assert {key: world.numbers(key) for key in keys} == {key: list(range(40)) for key in keys}


def test_a_replay_of_a_busy_key_keeps_no_other_waiting(world: World) -> None:
    # Given a dead letter
    group = world.new_group(lanes=1)
    fault = Broken("a")
    group.handles(Counted)(fault)
    world.send([("a", 1)])
    world.until_idle(group, max_attempts=1)
    fault.repaired.set()
    with world.running(group):
        with locked(world, "a"):
            # When it is replayed while its key is busy
            with world.connect() as connection:
                replay(world.settings(), connection, find(connection, Filter()))
            until(lambda: world.committed(world.topic) == 1)
            world.send([("b", 1)])
            until(lambda: world.numbers("b") == [1])
            assert world.numbers("a") == []
        # Then it comes in its turn
        until(lambda: world.numbers("a") == [1])


def test_a_slow_parked_handler_keeps_no_other_key_waiting(world: World) -> None:
    # Given parked events of two keys, the handler of one never ends
    slow, ended = threading.Event(), threading.Event()
    repaired = threading.Event()
    group = world.new_group(lanes=2, batch=1)

    @group.handles(Counted)
    def fail_then_hang(event: Counted, context: Any) -> None:
        if not repaired.is_set():
            raise RuntimeError("broken")
        if (event.aggregate_id, event.number) == ("a", 1):
            slow.set()
            while not ended.wait(0.5):
                context.connection.execute("select 1")
        act(event, context)

    with world.running(group, max_attempts=1000):
        world.send([("a", 1), ("b", 1)])
        until(lambda: world.rows(PARKED) == [(2,)])
        repaired.set()
        until(slow.is_set)
        # Then the other one is tried, and live events go on, however many come of the slow one's
        until(lambda: world.numbers("b") == [1])
        world.send([(key, n) for n in range(2, 20) for key in ("a", "b", "c")])
        until(lambda: world.numbers("b") == list(range(1, 20)))
        until(lambda: world.numbers("c") == list(range(2, 20)))
        assert world.numbers("a") == []
        ended.set()
        until(lambda: world.numbers("a") == list(range(1, 20)))


def test_parked_events_that_fail_together_are_not_blamed_for_each_other(world: World) -> None:
    # Given many parked keys, one of which goes on failing
    group = world.new_group(lanes=1, batch=20)
    fault = Broken()
    group.handles(Counted)(fault)
    keys = [f"k{n}" for n in range(20)]
    world.send([(key, 1) for key in keys])
    with world.running(group, max_attempts=1000, backoff_initial_ms=400):
        until(lambda: world.rows(PARKED) == [(20,)])
    counted = dict(world.rows("select convert_from(key, 'UTF8'), attempts from inbox.parked"))
    still = Broken("k7")
    group = world.new_group(lanes=1, batch=20)
    group.handles(Counted)(still)
    with world.running(group, max_attempts=1000, backoff_initial_ms=50):
        until(lambda: world.rows("select count(*) from effects") == [(19,)])
        until(lambda: max(number for *_, number in still.attempts) > counted["k7"] + 3)
    # Then each of the others is acted on in its next attempt, and that one counts its own
    del counted["k7"]
    acted_on = dict(world.rows("select key, attempt from effects"))
    assert acted_on == {key: attempts + 1 for key, attempts in counted.items()}


@NUMBERED
def test_an_event_of_a_topic_made_anew_does_not_overtake_a_parked_one(
    world: World, numbered: bool
) -> None:
    # Given a parked event far into a topic
    fault = Broken("a")
    group = world.new_group()
    group.handles(Counted)(fault)
    world.send([("b", n) for n in range(20)] + [("a", 1)], numbered=numbered)
    with world.running(group, max_attempts=1000):
        until(lambda: world.rows(PARKED) == [(1,)])
    # When the topic is made anew, and the next one of its key is the first there
    world.delete_topic(world.topic)
    world.create_topics()
    world.send([("a", 2), ("a", 3)], numbered=numbered)
    with world.running(group, max_attempts=1000):
        until(lambda: world.rows(PARKED) == [(3,)])
        fault.repaired.set()
        until(lambda: world.rows(PARKED) == [(0,)])
    # Then it has waited
    assert world.numbers("a") == [1, 2, 3]


@NUMBERED
def test_a_replay_comes_before_what_is_parked_and_in_its_first_order(
    world: World, numbered: bool
) -> None:
    # Given dead letters of a key, and later events of it that are parked
    group = world.new_group()
    fault = Broken("a")

    @group.handles(Counted)
    def die_or_fail(event: Counted, context: Any) -> None:
        if event.number <= 2 and context.attempt == 1:
            raise Fatal("never")
        fault(event, context)

    world.send([("a", n) for n in (1, 2, 3, 4)], numbered=numbered)
    with world.running(group, max_attempts=1000, backoff_initial_ms=300):
        until(lambda: world.rows(PARKED) == [(2,)])
        # When they are replayed, the later one first
        with world.connect() as connection:
            letters = sorted(find(connection, Filter()), key=lambda each: -each.kafka_offset)
            for letter in letters:
                replay(world.settings(), connection, [letter])
        fault.repaired.set()
        until(lambda: world.rows(PARKED) == [(0,)] and len(world.numbers("a")) == 4)
    numbers = world.numbers("a")
    # Then the first may have been done before the other came, but never after it was there
    assert sorted(numbers) == [1, 2, 3, 4]
    assert numbers.index(3) < numbers.index(4)
    assert numbers.index(2) < numbers.index(3)


def test_a_queue_goes_on_after_its_first_event_was_deleted_by_hand(world: World) -> None:
    group = world.new_group()
    fault = Broken("a", "b")
    group.handles(Counted)(fault)
    world.send([("a", 1), ("a", 2), ("a", 3), ("b", 1)])
    with world.running(group, max_attempts=1000, backoff_initial_ms=300):
        until(lambda: world.rows(PARKED) == [(4,)])
    # When somebody deletes the first event of one, and the only event of another
    world.rows("delete from inbox.parked where error is not null returning event_id")
    assert world.rows(PARKED) == [(2,)]
    fault.repaired.set()
    world.until_idle(group)
    # Then the queue goes on, and new events of the other one are handled
    assert world.numbers("a") == [2, 3]
    world.send([("b", 2)])
    world.until_idle(group)
    assert world.numbers("b") == [2]
    assert world.rows("select count(*) from inbox.parked_queues") == [(0,)]


def test_a_batch_ends_after_a_second_and_the_rest_comes_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given handlers that take long together, without a statement of theirs in between
    monkeypatch.setattr(attempt, "MOST_SECONDS", 0.2)
    group = world.new_group(lanes=1, batch=50)
    transactions: list[int] = []

    @group.handles(Counted)
    def take_long(event: Counted, context: Any) -> None:
        (transaction,) = context.connection.execute("select pg_current_xact_id()").fetchone()
        transactions.append(transaction)
        time.sleep(0.03)
        act(event, context)

    world.send([(key, n) for n in range(10) for key in ("a", "b", "c")])
    world.until_idle(group)
    # Then each transaction has a part of them, and their order is kept
    assert 3 <= len(set(transactions)) < 30
    for key in ("a", "b", "c"):
        assert world.numbers(key) == list(range(10))


def test_a_long_queue_costs_no_more_at_its_end_while_somebody_has_an_old_snapshot(
    world: World,
) -> None:
    # Given a long queue, and a reader that keeps the rows of what was drained
    row = {
        "group": world.group, "topic": world.topic, "key": b"a", "value": world.value(1),
    }  # fmt: skip
    many = 20_000
    with world.connect() as connection:
        connection.execute(
            "with queues as (insert into inbox.parked_queues "
            "select inbox.queue(%(group)s, %(topic)s, %(key)s), %(group)s, now()) "
            "insert into inbox.parked (group_name, event_id, queue, sequence, event_type, topic, "
            "partition, kafka_offset, key, value, header_names, header_values) "
            "select %(group)s, 'e' || n, inbox.queue(%(group)s, %(topic)s, %(key)s), n, 'counted', "
            "%(topic)s, 0, n, %(key)s, %(value)s, '{ce_subject}', array['a'::bytea] "
            f"from generate_series(1, {many}) n",
            row,
        )
    group = world.new_group(batch=100)
    group.handles(Counted)(act)
    with world.connect() as old, old.transaction():
        old.execute("set transaction isolation level repeatable read")
        old.execute("select count(*) from inbox.parked")
        with world.running(group):
            until(lambda: world.rows("select count(*) >= %s from effects", many // 2) == [(True,)])
        ((left,),) = world.rows(PARKED)
        assert left > 0
        # When the next ones are claimed after those that were drained
        queue, head = _first(world)
        after = _buffers(world, queue, head.place)
        from_the_beginning = _buffers(world, queue, BEGINNING)
        world.until_idle(group)
    # Then what was drained is not read again
    assert after * 2 < from_the_beginning, (after, from_the_beginning)
    assert len(world.numbers("a")) == many


def _first(world: World) -> tuple[int, parked_queues.Head]:
    with world.connect() as connection, connection.transaction():
        (due,) = parked_queues.due_queues(connection, world.group)
        found = parked_queues.claim(
            connection, world.group, [(due.queue, BEGINNING)],
            most=1, idle_timeout_ms=10_000, statement_timeout_ms=0,
        )  # fmt: skip
        assert found is not None
        return due.queue, found.heads[0]


def _buffers(world: World, queue: int, place: parked_queues.Place) -> int:
    """Pages that a claim of ten events after `place` reads."""
    query = (
        "explain (analyze, buffers, format json) select * from inbox.claim("
        "%s, array[%s]::bigint[], array[%s]::bigint[], array[%s]::bigint[], "
        "array[%s]::integer[], %s, 10, 10000, 0)"
    )
    given = (world.group, queue, place.sequence, place.arrival, place.inserts, place.server)
    with world.connect() as connection, connection.transaction(force_rollback=True):
        # The first call of a session also reads the catalog, to plan.
        connection.execute(query, given)
        row = connection.execute(query, given).fetchone()
        assert row is not None
        (top,) = row[0]
        assert top["Plan"]["Actual Rows"] == 10
        return int(top["Plan"]["Shared Hit Blocks"] + top["Plan"]["Shared Read Blocks"])


def test_records_without_a_usable_number_come_after_what_waits(world: World) -> None:
    """Whatever stands in the header of a record that anybody may have written."""
    with world.connect() as connection:
        for number, sequence in enumerate([b"5", b"2", None, b"-1", b"9" * 30, b"7", b"6"]):
            headers = (("ce_sequence", sequence), ("ce_id", b"e%d" % number))
            record = Record.read(world.topic, 0, 100 - number, key=b"a", value=b"", headers=headers)
            with connection.transaction():
                if number == 0:
                    connection.execute(
                        "insert into inbox.parked_queues "
                        "values (inbox.queue(%s, %s, %s), %s, now())",
                        (world.group, world.topic, b"a", world.group),
                    )
                parked_queues.append(connection, world.group, [record])
    ids = world.rows("select event_id from inbox.parked order by sequence, arrival")
    assert [event_id for (event_id,) in ids] == [f"e{n}" for n in range(7)]
