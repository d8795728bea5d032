"""The feed gives each shard its rows once, while shards come, go, are full and start again."""

from __future__ import annotations

import json
import random
import threading
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from relay.capture.feed import Feed, ShardRows
from relay.capture.position import BEGINNING, Position
from relay.capture.reader import OutboxReader
from relay.capture.row import SEQ, SHARD, Row
from relay.postgres.connect import connect
from relay.postgres.identity import Identity, read_identity
from tests.integration.capturing import assert_captured, writing
from tests.stack import until

SHARDS = 4


class Life:
    """A sink between two starts. It is full after three parts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: list[ShardRows] = []

    def offer(self, part: ShardRows) -> bool:
        """See relay.capture.feed.ShardSink."""
        with self._lock:
            if len(self._parts) >= 3:
                return False
            self._parts.append(part)
            return True

    def lost(self, reason: str) -> None:
        """See relay.capture.feed.ShardSink."""
        raise AssertionError(f"told of an outage: {reason}")

    def take(self) -> ShardRows | None:
        """The oldest part."""
        with self._lock:
            return self._parts.pop(0) if self._parts else None


class Shard:
    """Publishes what it takes, now and then only a part, and then begins a new life."""

    def __init__(self, number: int, feed: Feed, identity: Identity, chance: random.Random) -> None:
        self.number = number
        self.published: list[Row] = []
        self.restarts = 0
        self._feed = feed
        self._identity = identity
        self._chance = chance
        self._stored = json.dumps(Position(BEGINNING).to_json())
        self._life = Life()

    def begin(self) -> None:
        """Reads on behind what was published, as after a crash."""
        self._feed.remove(self.number, self._life)
        self._life = Life()
        position = Position.from_json(json.loads(self._stored))
        self._feed.add(self.number, position, self._identity, self._life)

    def work(self) -> None:
        """Publishes the oldest part, or some of its rows."""
        if (part := self._life.take()) is None:
            return
        self._feed.nudge()
        assert part.durable.result(30) is None
        assert {row[SHARD] for row in part.rows} <= {self.number}
        if len(part.rows) > 1 and self._chance.random() < 0.3:
            count = self._chance.randrange(1, len(part.rows))
            done, _ = part.step.split(part.rows[count - 1][0])
            self._publish(done.position(), part.rows[:count])
            self.restarts += 1
            self.begin()
        else:
            self._publish(part.step.position(), part.rows)

    def _publish(self, position: Position, rows: list[Row]) -> None:
        self.published += rows
        self._stored = json.dumps(position.to_json())


@pytest.mark.parametrize(("page_rows", "patience"), [(3, 2.0), (200, 2.0), (3, 0.0)])
def test_shards_that_are_full_and_start_again_get_every_row_once_and_in_order(
    database_url: str, page_rows: int, patience: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.capture.feed._PATIENCE_SECONDS", patience)
    # Given a feed, and shards that come one after the other
    connection = connect(database_url)
    identity = read_identity(connection)
    feed = Feed(lambda: (OutboxReader(connection, SHARDS, page_rows), identity), SHARDS, 0.01)
    shards = [Shard(n, feed, identity, random.Random(n)) for n in range(SHARDS)]
    feed.start()
    try:
        # When services write, and shards publish parts and begin again
        with writing(database_url, transactions=25, seed=page_rows) as writers:
            for number in range(SHARDS):
                shards[number].begin()
                for _ in range(30):
                    for shard in shards[: number + 1]:
                        shard.work()
            while writers.is_alive():
                for shard in shards:
                    shard.work()

        def all_published() -> bool:
            for shard in shards:
                shard.work()
            count = count_events(database_url)
            return sum(len(shard.published) for shard in shards) >= count

        until(all_published, timeout=60)
        until(lambda: feed.idle_rounds > 2)
        for shard in shards:
            shard.work()
    finally:
        feed.stop()
        connection.close()

    # Then each row was published once, by its shard, in its aggregate's order
    assert feed.failure is None
    assert_captured(database_url, [row for shard in shards for row in shard.published])
    assert sum(shard.restarts for shard in shards) > 0


def write_counted(connection: psycopg.Connection[Any], count: int) -> None:
    connection.execute(
        "select outbox.publish('counted', 'counter', 'c' || n, '{}') from generate_series(1, %s) n",
        (count,),
    )


def test_a_shard_that_has_no_room_for_long_stops_no_other(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given two shards, of which one takes nothing for now, as while it waits for the registry
    monkeypatch.setattr("relay.capture.feed._PATIENCE_SECONDS", 0.2)

    class Full(Life):
        waits = True

        def offer(self, part: ShardRows) -> bool:
            return not self.waits and super().offer(part)

    full, other = Full(), Life()
    connection = connect(database_url)
    identity = read_identity(connection)
    write_counted(connection, 60)
    feed = Feed(lambda: (OutboxReader(connection, 2, 7), identity), 2, 0.01)
    feed.start()

    def take_all(life: Life, shard: int) -> list[int]:
        """Takes rows until it has all of its shard."""
        query = "select from outbox.domain_events where outbox.shard_of(aggregate_id, 2) = %s"
        taken: list[int] = []

        def has_all() -> bool:
            while (part := life.take()) is not None:
                taken.extend(row[SEQ] for row in part.rows)
                feed.nudge()
            return len(taken) >= expected

        with connect(database_url) as counting:
            expected = len(counting.execute(query, (shard,)).fetchall())
        until(has_all)
        return taken

    try:
        feed.add(0, Position(BEGINNING), identity, full)
        feed.add(1, Position(BEGINNING), identity, other)
        # Then the other gets all of its rows, and the relay is not idle
        assert len(take_all(other, 1)) > 10
        assert feed.idle_rounds == 0
        # When it has room again
        full.waits = False
        feed.nudge()
        # Then it gets all of its own, once and in order
        rows = take_all(full, 0)
        assert rows == sorted(set(rows))
        until(lambda: feed.idle_rounds > 2)
    finally:
        feed.stop()
        connection.close()


def test_a_page_is_durable_before_the_next_one_is_read(database_url: str) -> None:
    # Given a backlog of two pages, and a database that needs long for the second one
    connection = connect(database_url)
    identity = read_identity(connection)
    connection.execute("set synchronous_commit = off")
    write_counted(connection, 20)
    goes_on = threading.Event()

    class Slow(OutboxReader):
        pages = 0

        def read(self, *arguments: Any) -> Any:
            self.pages += 1
            if self.pages == 2:
                assert goes_on.wait(20)
            return super().read(*arguments)

    feed = Feed(lambda: (Slow(connection, 1, 10), identity), 1, 0.01)
    life = Life()
    feed.start()
    try:
        feed.add(0, Position(BEGINNING), identity, life)
        # Then the first can be published meanwhile
        part = until(life.take)
        assert part.durable.result(10) is None
    finally:
        goes_on.set()
        feed.stop()
        connection.close()


def test_a_shard_that_comes_to_an_idle_database_gets_what_is_there(database_url: str) -> None:
    # Given rows, and a feed that has long had nothing to do for its only shard
    connection = connect(database_url)
    identity = read_identity(connection)
    with connection.transaction():
        for number in range(20):
            connection.execute(
                "select outbox.publish('counted', 'counter', %s, '{}')", (f"c{number}",)
            )
    feed = Feed(lambda: (OutboxReader(connection, 2, 100), identity), 2, 0.005)
    up_to_date, late = Life(), Life()
    feed.start()
    try:
        with connect(database_url) as other:
            position = Position(OutboxReader(other, 2, 100).snapshot().snapshot)
        feed.add(0, position, identity, up_to_date)
        until(lambda: feed.idle_rounds > 5)
        # When another comes that has read nothing yet
        feed.add(1, Position(BEGINNING), identity, late)
        # Then it gets its rows, and the first one nothing
        part = until(late.take)
        assert {row[SHARD] for row in part.rows} == {1}
        assert up_to_date.take() is None
    finally:
        feed.stop()
        connection.close()


def test_a_position_of_another_timeline_is_not_read_on(database_url: str) -> None:
    """Its snapshot says nothing about this one's transactions."""

    class Told(Life):
        reason = ""

        def lost(self, reason: str) -> None:
            self.reason = reason

    # Given a feed whose connection leads to a former primary that still runs
    connection = connect(database_url)
    identity = read_identity(connection)
    feed = Feed(lambda: (OutboxReader(connection, SHARDS, 10), identity), SHARDS, 0.01)
    with connection.transaction():
        connection.execute("select outbox.publish('counted', 'counter', 'c1', '{}')")
    feed.start()
    try:
        # When a shard was taken over on the promoted one
        sink = Told()
        promoted = replace(identity, timeline=identity.timeline + 1)
        feed.add(0, Position(BEGINNING), promoted, sink)
        # Then the shard is told, and gets nothing
        until(lambda: sink.reason)
        assert sink.take() is None
    finally:
        feed.stop()
        connection.close()


def count_events(url: str) -> int:
    with connect(url) as connection:
        row = connection.execute("select count(*) from outbox.domain_events").fetchone()
        assert row is not None
        return int(row[0])
