"""What handlers can't do is tried again, parked in order, dead-lettered; nothing overtakes."""

from __future__ import annotations

import contextlib
import random
import threading
from collections import Counter
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from relay.consume import Fatal, Retryable, parked_queues
from relay.consume.dead_letters import producer
from relay.consume.dead_letters import replay as replaying
from relay.consume.dead_letters.replay import replay
from relay.consume.dead_letters.store import Filter, find
from relay.kafka.clients import idempotent_producer
from tests.integration.consuming import SCHEMA_ID, Counted, World, act, add_recounted
from tests.stack import until


def test_an_event_that_fails_twice_and_then_works_is_acted_on_once(world: World) -> None:
    (event_id,) = world.send([("a", 1)])
    calls: list[int] = []
    group = world.new_group()

    @group.handles(Counted)
    def fail_twice(event: Counted, context: Any) -> None:
        act(event, context)
        calls.append(context.attempt)
        if len(calls) < 3:
            raise RuntimeError("not yet")

    world.until_idle(group)

    assert calls == [1, 2, 3]
    assert world.rows("select event_id, attempt from effects") == [(event_id, 3)]
    assert world.rows("select attempt from inbox.processed") == [(3,)]
    assert world.records(world.dlq) == []


def test_with_failures_at_random_every_key_keeps_its_exact_order(world: World) -> None:
    keys = [f"k{n}" for n in range(5)]
    world.send([(key, number) for number in range(20) for key in keys])
    dice = random.Random(20)
    # One event of ten fails from one to six times; from the third on it is parked.
    faults = {(key, number): dice.randint(1, 6) for key in keys for number in range(20)
              if dice.random() < 0.1}  # fmt: skip
    assert max(faults.values()) > 3
    group = world.new_group()

    @group.handles(Counted)
    def fail_sometimes(event: Counted, context: Any) -> None:
        act(event, context)
        left = faults.get((event.aggregate_id, event.number), 0)
        if left:
            faults[event.aggregate_id, event.number] = left - 1
            raise Retryable("one of ten")

    world.until_idle(group, max_attempts=50, backoff_initial_ms=20)

    assert not any(faults.values())
    assert {key: world.numbers(key) for key in keys} == {key: list(range(20)) for key in keys}


def test_later_events_of_a_parked_key_wait_while_other_keys_go_on(world: World) -> None:
    world.send([("a", 1), ("a", 2), ("b", 1), ("a", 3), ("b", 2)])
    repaired = threading.Event()
    group = world.new_group(lanes=1)

    @group.handles(Counted)
    def fail_until_repaired(event: Counted, context: Any) -> None:
        if (event.aggregate_id, event.number) == ("a", 1) and not repaired.is_set():
            raise RuntimeError("broken")
        act(event, context)

    with world.running(group, max_attempts=100):
        until(lambda: world.numbers("b") == [1, 2])
        until(lambda: world.rows("select count(*) from inbox.parked") == [(3,)])
        assert world.numbers("a") == []
        world.send([("a", 4)])
        until(lambda: world.rows("select count(*) from inbox.parked") == [(4,)])
        repaired.set()
        until(lambda: world.numbers("a") == [1, 2, 3, 4])
        until(lambda: world.rows("select count(*) from inbox.parked") == [(0,)])

    assert world.rows("select count(*) from inbox.dead_letters") == [(0,)]


def test_poison_goes_to_the_dead_letter_topic_with_its_bytes_and_full_headers(
    world: World,
) -> None:
    poison = b"\x01 no framed avro"
    event_id, _ = world.send([("a", 1), ("a", 2)], values=[poison, world.value(2)])
    group = world.new_group()
    group.handles(Counted)(act)

    world.until_idle(group)

    assert world.numbers("a") == [2]
    (letter,) = world.records(world.dlq)
    headers = {name: value.decode() for name, value in letter.headers()}
    assert (letter.key(), letter.value()) == (b"a", poison)
    assert headers["ce_id"] == event_id
    assert headers["ce_correlationid"] == "c-a"
    assert headers["__dlq.errors.topic"] == world.topic
    assert headers["__dlq.errors.partition"].isdigit()
    assert headers["__dlq.errors.offset"] == "0"
    assert headers["__dlq.errors.group"] == world.group
    assert headers["__dlq.errors.delivery.count"] == "1"
    assert "starts with byte 1" in headers["__dlq.errors.message"]
    assert headers["__dlq.errors.exception.class.name"] == "relay.consume.failures.Poison"
    assert "Traceback" in headers["__dlq.errors.exception.stacktrace"]
    assert headers["__dlq.errors.stage"] == "decode"
    assert headers["__dlq.errors.first-failed-at"] == headers["__dlq.errors.failed-at"]
    assert headers["__dlq.id"] == f"{event_id}/{world.group}/1"


def test_an_unknown_schema_or_a_missing_value_is_poison_and_no_obstacle(world: World) -> None:
    unknown = world.value(1).replace(bytes([SCHEMA_ID]), b"\x63", 1)
    world.send([("a", 1), ("a", 2), ("a", 3)], values=[unknown, None, world.value(3)])
    group = world.new_group()
    group.handles(Counted)(act)

    world.until_idle(group)

    assert world.numbers("a") == [3]
    errors = [e for (e,) in world.rows("select error from inbox.dead_letters order by error")]
    assert len(errors) == 2
    assert "no value" in errors[0]
    assert "knows no schema 99" in errors[1]


def test_a_fatal_event_is_dead_at_once_and_one_that_never_works_after_all_attempts(
    world: World,
) -> None:
    fatal, hopeless = world.send([("a", 1), ("b", 1)])
    attempts: Counter[str] = Counter()
    # (a batch that fails counts for none of its events)
    group = world.new_group(batch=1)

    @group.handles(Counted)
    def never(event: Counted, context: Any) -> None:
        attempts[context.event_id] += 1
        if event.aggregate_id == "a":
            raise Fatal("never will")
        raise RuntimeError("never does")

    world.until_idle(group, max_attempts=5)

    letters = dict(world.rows("select event_id, attempt from inbox.dead_letters"))
    assert letters == {fatal: 1, hopeless: 5}
    assert attempts == {fatal: 1, hopeless: 5}


def test_dead_lettering_writes_no_inbox_row(world: World) -> None:
    (dead,) = world.send([("a", 1)])
    group = world.new_group()

    @group.handles(Counted)
    def never(event: Counted, context: Any) -> None:
        raise Fatal("never will")

    world.until_idle(group)

    assert world.rows("select event_id from inbox.dead_letters") == [(dead,)]
    assert world.rows("select count(*) from inbox.processed") == [(0,)]


def test_an_event_that_is_dead_is_not_run_again_when_its_record_comes_again(world: World) -> None:
    calls: list[str] = []
    group = world.new_group()

    @group.handles(Counted)
    def never(event: Counted, context: Any) -> None:
        calls.append(context.event_id)
        raise Fatal("never will")

    world.send([("a", 1)], ids=["one"])
    world.until_idle(group)
    world.send([("a", 1)], ids=["one"])
    world.until_idle(group)

    assert calls == ["one"]
    assert len(world.records(world.dlq)) == 1


def test_a_handler_that_swallows_a_database_error_does_not_lose_its_event(world: World) -> None:
    (event_id,) = world.send([("a", 1)])
    swallowed: list[int] = []
    group = world.new_group()

    @group.handles(Counted)
    def swallow_once(event: Counted, context: Any) -> None:
        act(event, context)
        if not swallowed:
            swallowed.append(1)
            with contextlib.suppress(psycopg.errors.DivisionByZero):
                context.connection.execute("select 1 / 0")

    world.until_idle(group)

    assert world.rows("select event_id from effects") == [(event_id,)]


def test_a_database_that_goes_away_costs_no_attempt(world: World) -> None:
    world.send([("a", 1)])
    seen: list[int] = []
    group = world.new_group()

    @group.handles(Counted)
    def lose_the_session(event: Counted, context: Any) -> None:
        act(event, context)
        seen.append(context.attempt)
        if len(seen) <= 4:
            pid = context.connection.info.backend_pid
            world.rows("select pg_terminate_backend(%s)", pid)
            context.connection.execute("select 1")

    world.until_idle(group, max_attempts=2)

    assert seen == [1, 1, 1, 1, 1]
    assert world.rows("select attempt from effects") == [(1,)]


def test_a_handler_that_leaves_its_transaction_idle_for_too_long_has_failed(world: World) -> None:
    world.send([("a", 1)])
    attempts: list[int] = []
    ended = threading.Event()
    group = world.new_group()

    @group.handles(Counted)
    def idle_at_first(event: Counted, context: Any) -> None:
        attempts.append(context.attempt)
        act(event, context)
        if len(attempts) == 1:
            pid = context.connection.info.backend_pid
            alive = "select count(*) from pg_stat_activity where pid = %s"
            until(lambda: world.rows(alive, pid) == [(0,)])
            ended.set()

    world.until_idle(group, session_timeout_ms=1_000)

    assert ended.is_set()
    assert attempts == [1, 2]
    assert world.rows("select attempt from effects") == [(2,)]


def test_a_record_without_any_header_is_poison_with_a_name_made_of_its_place(world: World) -> None:
    world.produce(world.topic, b"\xff\x00", b"junk", None)
    (partition,) = [p for p in range(world.partitions) if world.ends(world.topic)[p]]
    group = world.new_group()
    group.handles(Counted)(act)

    world.until_idle(group)
    with world.connect() as connection:
        (letter,) = find(connection, Filter())
        replay(world.settings(), connection, [letter])
    world.until_idle(group)

    name = f"{world.topic}[{partition}]@0"
    assert world.rows("select event_id, attempt from inbox.dead_letters") == [(name, 2)]
    assert [m.key() for m in world.records(world.dlq)] == [b"\xff\x00"] * 2


def test_a_dead_letter_that_outgrows_its_topic_goes_without_its_value(world: World) -> None:
    value = bytes(1_048_588 - 200)
    world.produce(world.topic, b"a", value, None)
    group = world.new_group()
    group.handles(Counted)(act)

    world.until_idle(group)

    (letter,) = world.records(world.dlq)
    headers = dict(letter.headers())
    assert letter.value() is None
    assert "__dlq.value-omitted" in headers
    assert headers["__dlq.outcome"] == b"dead"
    assert world.rows("select value from inbox.dead_letters") == [(value,)]


def test_replays_marks_and_resolutions_do_not_wait_for_each_other(world: World) -> None:
    # Given dead letters that are replayed, marked as sent and resolved at once, each in an order
    # of its own
    with world.connect() as connection:
        connection.execute(
            "insert into inbox.dead_letters (group_name, event_id, attempt, topic, partition, "
            "kafka_offset, key, header_names, header_values, stage, error_class, error, "
            "stacktrace, first_failed_at, failed_at, dlq_topic) select %s, md5(n::text), 1, 't', "
            "0, n, '', '{}', '{}', 'handle', '', '', '', now(), now(), 'd' "
            "from generate_series(1, 400) n",
            (world.group,),
        )
        letters = find(connection, Filter())
    rows = [
        {
            "group": world.group, "event_id": letter.event_id, "attempt": 1,
            "dlq_partition": 0, "dlq_offset": 0,
        }
        for letter in letters
    ]  # fmt: skip
    failed: list[BaseException] = []
    start = threading.Barrier(3)

    def repeat(work: Any, mine: list[Any]) -> None:
        try:
            with world.connect() as connection:
                start.wait(20)
                for _ in range(15):
                    work(connection, mine)
        except BaseException as error:
            failed.append(error)

    def resolve(connection: Any, mine: list[Any]) -> None:
        heads = [SimpleNamespace(record=SimpleNamespace(event_id=each["event_id"]), attempts=0)
                 for each in mine]  # fmt: skip
        for head in heads:
            head.attempts = 1
        with connection.transaction():
            parked_queues.resolve(connection, world.group, heads)  # type: ignore[arg-type]
            connection.execute("update inbox.dead_letters set attempt = 1")

    shuffled = random.Random(3).sample(rows, len(rows))
    threads = [
        threading.Thread(target=repeat, args=(work, mine))
        for work, mine in (
            (lambda c, mine: replaying._execute_many(c, "note_replay.sql", mine), rows),
            (producer.DeadLetterProducer._mark, rows[::-1]),
            (resolve, shuffled),
        )
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []


@pytest.mark.parametrize(
    ("header", "key", "kept"),
    [("theirs", b"a", {"ce_source"}), ("ce_source", b"a", set()), (None, b"k" * 1_048_000, set())],
    ids=["a foreign header", "a header of its own", "the key"],
)
def test_a_dead_letter_whose_headers_outgrow_its_topic_goes_without_them(
    world: World, header: str | None, key: bytes, kept: set[str]
) -> None:
    # Given a record that just fits its topic, for a header or its key
    large = 1_048_588 - 300 if header else 100
    headers = [("ce_id", b"e1"), ("ce_type", b"counted"), ("ce_source", b"s")]
    if header:
        headers = [each for each in headers if each[0] != header] + [(header, bytes(large))]
    world.produce(world.topic, key, b"poison", headers)
    group = world.new_group()
    group.handles(Counted)(act)

    world.until_idle(group)

    # Then its dead letter says what it goes without, and the database has all of it
    (letter,) = world.records(world.dlq)
    found = dict(letter.headers())
    assert {"__dlq.value-omitted", "__dlq.headers-omitted"} <= found.keys()
    assert (found["__dlq.outcome"], found["__dlq.event"]) == (b"dead", b"e1")
    assert found.keys() & {"theirs", "ce_source"} == kept
    ((kept_key, kept_values),) = world.rows("select key, header_values from inbox.dead_letters")
    assert kept_key == key
    assert [len(each) for each in kept_values] == [len(each) for _, each in headers]


def test_a_producer_of_dead_letters_that_failed_for_good_is_replaced(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a broker that refuses the producer's next sequence number, as it may after a crash
    class Failed(Producer):
        def produce(self, *_: Any, **__: Any) -> None:
            raise KafkaException(KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER))

        def close(self) -> None:
            # The next try need not wait for the end of this one's lease.
            world.rows("update inbox.dead_letters set sending_until = null returning true")
            super().close()

    kinds = iter([lambda *_: Failed({}), idempotent_producer])

    def open_next(*given: Any) -> Producer:
        return next(kinds)(*given)

    monkeypatch.setattr(producer, "idempotent_producer", open_next)
    # When an event dies
    world.produce(world.topic, b"a", b"poison", None)
    group = world.new_group()
    group.handles(Counted)(act)
    world.until_idle(group)
    # Then another producer sends it
    assert len(world.records(world.dlq)) == 1
    assert next(kinds, None) is None


def test_a_parked_event_is_not_settled_by_a_member_that_has_no_handler_for_it(
    world: World,
) -> None:
    # Given an event that is parked while members with another set of handlers are in the group
    other = world.new_group()
    other.handles(add_recounted(world))(act)
    group = world.new_group()
    broken = threading.Event()
    broken.set()

    @group.handles(Counted)
    def fail(event: Counted, context: Any) -> None:
        act(event, context)
        if broken.is_set():
            raise RuntimeError("later")

    with world.running(group, max_attempts=1000):
        world.send([("a", 1), ("a", 2)])
        until(lambda: world.rows("select count(*) from inbox.parked") == [(2,)])
    # When one of those tries it
    with world.running(other, max_attempts=1000):
        until(lambda: _error_of_parked(world).startswith("this process has no handler for counted"))
    # Then that has failed, and whoever has the handler acts on it
    broken.clear()
    world.until_idle(group)
    assert world.numbers("a") == [1, 2]


def test_a_parked_event_whose_row_is_locked_is_not_overtaken_by_the_next_of_its_key(
    world: World,
) -> None:
    # Given two parked events of a key, and one of another
    group = world.new_group()
    broken = threading.Event()
    broken.set()

    @group.handles(Counted)
    def fail(event: Counted, context: Any) -> None:
        if broken.is_set():
            raise RuntimeError("later")
        act(event, context)

    first, *_ = world.send([("a", 1), ("a", 2), ("b", 1)])
    with world.running(group, max_attempts=1000):
        until(lambda: world.rows("select count(*) from inbox.parked") == [(3,)])
    broken.clear()
    # When somebody has made the first one due by hand, and not committed yet
    with world.running(group):
        with world.connect() as operator, operator.transaction():
            operator.execute("update inbox.parked set error = error where event_id = %s", (first,))
            # then other keys go on
            until(lambda: world.numbers("b") == [1])
            assert world.numbers("a") == []
        # and its key, once that has let go
        until(lambda: len(world.numbers("a")) == 2)
    assert world.numbers("a") == [1, 2]


def _error_of_parked(world: World) -> str:
    return str(world.rows("select max(error) from inbox.parked")[0][0])
