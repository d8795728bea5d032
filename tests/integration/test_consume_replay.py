"""A replay reaches its group alone, keeps the key's order, and its outcome reaches the outbox."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pytest

from relay.consume import Fatal, Group
from relay.consume.dead_letters.discard import discard
from relay.consume.dead_letters.reconciler import reconcile
from relay.consume.dead_letters.replay import replay, replay_headers
from relay.consume.dead_letters.store import ALL_STATES, Filter, find
from relay.consume.inbox import Verdict
from relay.consume.parked_queues import park_replay
from relay.consume.record import Record
from relay.errors import BrokerUnavailable
from relay.kafka import topics
from relay.operate.status import read_status
from tests.integration.consuming import Counted, World, act, add_recounted, server_of
from tests.stack import until

# Rows while somebody waits for a key's lock.
WAITING = "select 1 from pg_locks where locktype = 'advisory' and not granted"


class Fault:
    """Lets a handler fail for good for some numbers until it is repaired."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = set(numbers)

    def group(self, world: World, **options: Any) -> Group:
        group = world.new_group(**options)

        @group.handles(Counted)
        def fail_for_good(event: Counted, context: Any) -> None:
            act(event, context)
            if event.number in self.numbers:
                raise Fatal(f"{event.number} does not work")

        return group


def replay_all(world: World, **wanted: Any) -> list[Any]:
    with world.connect() as connection:
        return replay(world.settings(), connection, find(connection, Filter(**wanted)))


def outcomes(world: World) -> list[Any]:
    reconcile(world.settings(), until_idle=True)
    return world.rows(
        "select event_id, group_name, state, attempt, topic, kafka_offset from outbox.outcomes"
    )


def test_a_replay_is_resolved_and_flagged_so_on_its_outbox_row(world: World) -> None:
    fault = Fault(1)
    (dead,) = world.send([("a", 1)])
    world.until_idle(fault.group(world))
    assert outcomes(world) == [(dead, world.group, "dead", 1, world.topic, 0)]

    fault.numbers.clear()
    (replayed,) = replay_all(world)
    assert replayed.topic == world.retry
    world.until_idle(fault.group(world))

    assert world.numbers("a") == [1]
    assert outcomes(world) == [(dead, world.group, "resolved", 2, world.topic, 0)]
    assert world.rows("select state, attempt from inbox.dead_letters") == [("resolved", 2)]
    _, tombstone = world.records(world.dlq)
    headers = {name: value.decode() for name, value in tombstone.headers()}
    assert (tombstone.key(), tombstone.value()) == (b"a", None)
    assert headers["__dlq.outcome"] == "resolved"
    assert headers["__dlq.errors.group"] == world.group
    assert headers["__dlq.errors.delivery.count"] == "2"
    assert headers["ce_id"] == dead


def test_a_replay_reaches_no_other_group(world: World) -> None:
    other = Group(f"other-{world.group}"[:50])
    seen: list[str] = []

    @other.handles(Counted)
    def look(event: Counted, context: Any) -> None:
        seen.append(context.event_id)

    world.add_group(other.name)
    fault = Fault(1)
    ids = world.send([("a", 1), ("a", 2)])
    world.until_idle(fault.group(world))
    world.until_idle(other)
    fault.numbers.clear()

    replay_all(world)
    world.until_idle(fault.group(world))
    world.until_idle(other)

    assert world.numbers("a") == [2, 1]
    assert seen == ids


def test_a_replay_that_a_member_without_its_handler_reads_is_acted_on_by_one_that_has_it(
    world: World,
) -> None:
    # Given a replay, while a member with another set of handlers is in the group
    fault = Fault(1)
    world.send([("a", 1)])
    world.until_idle(fault.group(world))
    fault.numbers.clear()
    other = world.new_group()
    other.handles(add_recounted(world))(act)
    with world.running(other, max_attempts=1000):
        replay_all(world)
        # When that one has read it
        until(lambda: _read(world, world.retry) == 1 and world.members() == 1)
    # Then it waits for one that can act on it
    world.until_idle(fault.group(world))
    assert world.numbers("a") == [1]


def test_a_replay_that_fails_again_keeps_its_first_origin_and_counts_on(world: World) -> None:
    fault = Fault(1)
    world.send([("a", 1)])
    world.until_idle(fault.group(world))
    (first,) = world.rows("select first_failed_at, kafka_offset from inbox.dead_letters")

    replay_all(world)
    world.until_idle(fault.group(world))
    replay_all(world)
    world.until_idle(fault.group(world))

    rows = world.rows(
        "select attempt, state, first_failed_at, kafka_offset from inbox.dead_letters"
    )
    assert rows == [(3, "dead", *first)]
    assert [row[2:4] for row in outcomes(world)] == [("dead", 3)]
    counts = [dict(m.headers())["__dlq.errors.delivery.count"] for m in world.records(world.dlq)]
    assert counts == [b"1", b"2", b"3"]
    origins = {dict(m.headers())["__dlq.errors.topic"] for m in world.records(world.dlq)}
    assert origins == {world.topic.encode()}


def test_replays_of_one_key_come_back_in_their_first_order(world: World) -> None:
    fault = Fault(1, 2, 3)
    world.send([("a", 1), ("a", 2), ("a", 3), ("a", 4)])
    world.until_idle(fault.group(world))
    fault.numbers = {1}
    # The runner is busy with the first one while the others arrive the wrong way round.
    letters = {letter.event_id: letter for letter in _letters(world)}
    first, second, third = letters
    blocked, let_go = threading.Event(), threading.Event()
    group = world.new_group()

    @group.handles(Counted)
    def block_the_first(event: Counted, context: Any) -> None:
        act(event, context)
        if event.number == 1 and not let_go.is_set():
            blocked.set()
            until(let_go.is_set)

    with world.running(group), world.connect() as connection:
        replay(world.settings(), connection, [letters[first]])
        until(blocked.is_set)
        replay(world.settings(), connection, [letters[third]])
        replay(world.settings(), connection, [letters[second]])
        until(lambda: _read(world, world.retry) >= 3 or None, what="the replays arrived")
        let_go.set()
        until(lambda: world.numbers("a") == [4, 1, 2, 3])


def test_a_replay_waits_while_an_earlier_event_of_its_key_is_parked(world: World) -> None:
    fault = Fault(2)
    world.send([("a", 2)])
    world.until_idle(fault.group(world))
    fault.numbers.clear()
    repaired = threading.Event()
    group = world.new_group()

    @group.handles(Counted)
    def park_three(event: Counted, context: Any) -> None:
        if event.number == 3 and not repaired.is_set():
            raise RuntimeError("later")
        act(event, context)

    with world.running(group, max_attempts=1000):
        world.send([("a", 3), ("a", 4)])
        until(lambda: world.rows("select count(*) from inbox.parked") == [(2,)])
        replay_all(world)
        until(lambda: world.numbers("a") == [2], what="the replay goes before what is parked")
        repaired.set()
        until(lambda: world.numbers("a") == [2, 3, 4])


@pytest.mark.parametrize("first", ["replay", "live"])
def test_a_replay_and_a_live_event_of_one_key_on_two_members_never_run_at_once(
    world: World, first: str
) -> None:
    with world.connect() as connection:
        connection.execute("create table balance (key text primary key, amount int)")
        connection.execute("insert into balance values ('a', 0)")
    amounts = {1: 100, 2: 7}
    broken = threading.Event()
    broken.set()
    started = threading.Event()
    inside: set[int] = set()
    second: set[int] = set()
    together: list[set[int]] = []

    def member() -> Group:
        group = world.new_group()

        @group.handles(Counted)
        def read_modify_write(event: Counted, context: Any) -> None:
            if event.number == 1 and broken.is_set():
                raise Fatal("broken")
            (amount,) = context.connection.execute("select amount from balance").fetchone()
            inside.add(event.number)
            started.set()
            # Where one member has both partitions, the key's lane keeps the two apart, and neither
            # is seen to wait. The server ends a session that is idle for 7.5 s.
            with suppress(AssertionError):
                until(
                    lambda: len(inside) == 2 or world.rows(WAITING) or event.number in second,
                    timeout=4,
                )
            second.update({1, 2} - {event.number})
            together.append(set(inside))
            inside.discard(event.number)
            context.connection.execute(
                "update balance set amount = %s", (amount + amounts[event.number],)
            )

        return group

    world.send([("a", 1)])
    world.until_idle(member())
    broken.clear()
    with world.running(member()), world.running(member()):
        until(lambda: world.members() == 2)
        steps = [lambda: replay_all(world), lambda: world.send([("a", 2)])]
        for step in steps if first == "replay" else reversed(steps):
            step()
            until(started.is_set)
        until(lambda: world.rows("select count(*) from inbox.processed") == [(2,)])

    assert world.rows("select amount from balance") == [(107,)]
    assert all(len(found) == 1 for found in together)


def test_an_outcome_that_comes_late_does_not_undo_a_later_one(world: World) -> None:
    fault = Fault(1)
    world.send([("a", 1)])
    world.until_idle(fault.group(world))
    fault.numbers.clear()
    replay_all(world)
    world.until_idle(fault.group(world))
    dead, _ = world.records(world.dlq)
    assert [row[2:4] for row in outcomes(world)] == [("resolved", 2)]

    # As after a crash between producing and noting it: the first letter is sent again.
    world.produce(world.dlq, dead.key(), dead.value(), dead.headers())

    assert [row[2:4] for row in outcomes(world)] == [("resolved", 2)]


def test_a_dead_letter_that_was_sent_but_not_noted_is_sent_again_under_the_same_id(
    world: World,
) -> None:
    fault = Fault(1)
    world.send([("a", 1)])
    world.until_idle(fault.group(world))
    world.rows("update inbox.dead_letters set unsent = true returning 1")

    world.until_idle(fault.group(world))

    first, second = (dict(m.headers())["__dlq.id"] for m in world.records(world.dlq))
    assert first == second
    assert [row[2:4] for row in outcomes(world)] == [("dead", 1)]


def test_a_discarded_letter_is_left_out_of_the_list_and_stays_flagged(world: World) -> None:
    world.send([("a", 1)])
    world.until_idle(Fault(1).group(world))
    with world.connect() as connection:
        discarded, refused = discard(connection, find(connection, Filter()))

        assert (len(discarded), refused) == (1, [])
        assert find(connection, Filter()) == []
    assert [row[2:4] for row in outcomes(world)] == [("dead", 1)]


def test_status_counts_a_dead_event_alike_for_the_outbox_and_for_its_group(world: World) -> None:
    def dead() -> tuple[int, int]:
        with world.connect() as connection:
            found = read_status(world.settings(), connection)
        (group,) = [group for group in found.groups if group.group == world.group]
        return found.outbox.dead, group.dead

    world.send([("a", 1), ("b", 2)])
    world.until_idle(Fault(1).group(world))
    assert dead() == (1, 1)
    outcomes(world)
    assert dead() == (1, 1)
    with world.connect() as connection:
        discard(connection, find(connection, Filter()), "never mind")
    assert dead() == (0, 0)


def test_a_replay_while_kafka_is_unavailable_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a dead letter of a group, a discarded one, and a dead event of the relay
    world.send([("a", 1), ("b", 2)])
    world.until_idle(Fault(1, 2).group(world))
    with world.connect() as connection:
        one, other = find(connection, Filter())
        discard(connection, [other])
        connection.execute(
            "insert into outbox.domain_events (id, event_type, aggregate_type, aggregate_id, "
            "payload) values ('unpublished', 'counted', 'counter', 'c', '{}')"
        )
        connection.execute(
            "insert into outbox.holds (seq, event_id, shard, aggregate_type, aggregate_id, state, "
            "error) select seq, id, 0, aggregate_type, aggregate_id, 'dead', 'why' "
            "from outbox.domain_events"
        )
        letters = find(connection, Filter(states=ALL_STATES))
        assert {each.event_id for each in letters} >= {one.event_id, other.event_id, "unpublished"}
        before = [(each.group_name, each.event_id, each.state) for each in letters]
        # When all of them are replayed while Kafka is unavailable
        monkeypatch.setattr(topics.describe, "__defaults__", (0.5,))
        with pytest.raises(BrokerUnavailable):
            replay(world.settings(kafka_bootstrap_servers="127.0.0.1:9"), connection, letters)
        # Then nothing has changed
        letters = find(connection, Filter(states=ALL_STATES))
        assert [(each.group_name, each.event_id, each.state) for each in letters] == before
    assert world.rows("select count(*) from outbox.replays") == [(0,)]


def test_a_letter_is_not_discarded_while_its_replay_is_being_parked(world: World) -> None:
    # Given a replay that a member parks, in a transaction that is still open
    world.send([("a", 1)])
    world.until_idle(Fault(1).group(world))
    (letter,) = _letters(world)
    record = Record.read(
        world.retry, 0, 0, key=b"a", value=letter.value,
        headers=tuple((name, value) for name, value in replay_headers(letter)),
    ).as_replay(world.topic)  # fmt: skip
    answers: list[Any] = []

    def discard_it() -> None:
        with world.connect() as connection:
            answers.append(discard(connection, [letter]))

    operator = threading.Thread(target=discard_it)
    with world.connect() as member, member.transaction():
        parked = park_replay(member, world.group, record, server_of(member))
        assert parked is Verdict.PARKED
        # When the letter is discarded meanwhile
        operator.start()
        until(lambda: answers or world.rows(WAITING))
    operator.join(20)
    # Then that is refused, since the event is tried
    assert answers == [([], [letter])]
    assert world.rows("select state from inbox.dead_letters") == [("dead",)]


def test_a_discarded_letter_can_still_be_replayed_by_its_id(world: World) -> None:
    fault = Fault(1)
    world.send([("a", 1)])
    world.until_idle(fault.group(world))
    fault.numbers.clear()
    with world.connect() as connection:
        discard(connection, find(connection, Filter()))

    replay_all(world, states=["discarded"])
    world.until_idle(fault.group(world))

    assert world.numbers("a") == [1]
    assert [row[2:4] for row in outcomes(world)] == [("resolved", 2)]


def _letters(world: World) -> list[Any]:
    with world.connect() as connection:
        return find(connection, Filter())


def _read(world: World, topic: str) -> int:
    return world.committed(topic)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("__dlq.errors.partition", str(2**31)),
        ("__dlq.errors.offset", str(2**63)),
        ("__dlq.errors.offset", "9" * 5000),
        ("__dlq.errors.delivery.count", str(2**31 - 1)),
        ("__dlq.event", "".join(map(str, range(5000)))),
    ],
)
def test_headers_that_no_column_can_hold_stop_neither_the_group_nor_the_outcomes(
    world: World, header: str, value: str
) -> None:
    # Given a record of somebody else's making in the retry topic, and one in the dead-letter topic
    fault = Fault(1)
    world.send([("a", 1)])
    world.until_idle(fault.group(world))
    fault.numbers.clear()
    (letter,) = _letters(world)
    made = {**dict(replay_headers(letter)), header: value.encode()}
    world.produce(world.retry, b"a", letter.value, list(made.items()))
    (told,) = world.records(world.dlq)
    wrong = {**dict(told.headers()), header: value.encode()}
    world.produce(world.dlq, b"a", told.value(), list(wrong.items()))
    # When an event comes after them
    world.send([("a", 2)])
    world.until_idle(fault.group(world))
    # Then both are acted on, and the outcome that was told rightly is there
    assert sorted(world.numbers("a")) == [1, 2]
    assert [row[4:] for row in outcomes(world)] == [(world.topic, 0)]
