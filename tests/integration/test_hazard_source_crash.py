"""Hazards of a crashed database: it hands out again the ids of transactions that left no trace."""

from __future__ import annotations

import os
import random
import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
import pytest

from relay.capture import feed
from relay.local.postgres import LocalPostgres
from relay.postgres.migrate import migrate
from tests.relaying import Relay
from tests.stack import until

CRASHES = 5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPostgres]:
    """A server that writes nothing to disk before somebody's commit asks for it."""
    own = LocalPostgres(
        tmp_path_factory.mktemp("crashing"),
        settings={"wal_writer_delay": "10s", "autovacuum": "off"},
    )
    own.start()
    yield own
    own.kill()


@pytest.fixture(params=["on", "off"])
def crashing(
    request: pytest.FixtureRequest, server: LocalPostgres, make_relay: Callable[..., Relay]
) -> Relay:
    """A relay on that server; the parameter is the database's synchronous_commit."""
    name = f"outbox_{uuid.uuid4().hex[:8]}"
    url = server.create_database(name)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"alter database {name} set synchronous_commit to {request.param}")
    migrate(url)
    return make_relay(database_url=url, session_timeout_ms="6000")


def publish(connection: psycopg.Connection[tuple[object]], aggregate: str) -> None:
    connection.execute(
        "select outbox.publish('counted', 'counter', %s, '{\"number\": 1}')", [aggregate]
    )


def assert_topic_and_table_agree(relay: Relay) -> None:
    """Every event of the table is in the topic once, and nothing else is."""
    in_table = sorted(row["id"] for row in relay.status())
    in_topic = sorted(record.event_id for record in relay.published())
    assert not (lost := set(in_table) - set(in_topic)), f"{len(lost)} lost"
    assert not (phantoms := set(in_topic) - set(in_table)), f"{len(phantoms)} not in the table"
    assert in_topic == in_table


def wait_until_all_is_delivered(relay: Relay) -> None:
    try:
        until(
            lambda: (
                relay.sql(
                    "select count(*) from outbox.domain_events e"
                    " where not exists (select from outbox.deliveries d where d.seq = e.seq)"
                )
                == [(0,)]
            ),
            timeout=60,
            what="all rows delivered",
        )
    except AssertionError as error:
        raise AssertionError(f"{error}; log: {relay.log()[-5000:]}") from None


def test_transaction_ids_that_a_crash_hands_out_again_lose_no_event(
    crashing: Relay, server: LocalPostgres
) -> None:
    relay = crashing
    with relay.running() as worker:
        relay.publish("warm", 0)
        relay.wait_until_delivered(1)
        # Given an event and twenty roll-backs that the relay reads at once
        os.kill(worker.pid, signal.SIGSTOP)
        flags = psycopg.connect(relay.database_url)
        flags.execute("lock table outbox.deliveries in exclusive mode")
        services = psycopg.connect(relay.database_url)
        publish(services, "before")
        services.commit()
        for _ in range(20):
            publish(services, "rolled back")
            services.rollback()
        os.kill(worker.pid, signal.SIGCONT)
        until(lambda: len(relay.published()) == 2, what=f"a second record; {relay.log()[-2000:]}")

        # When the database crashes before anything else is written, and services are back first
        os.kill(worker.pid, signal.SIGSTOP)
        server.kill()
        flags.close()
        services.close()
        server.start()
        with psycopg.connect(relay.database_url, autocommit=True) as services:
            for number in range(30):
                publish(services, f"after-{number}")
        os.kill(worker.pid, signal.SIGCONT)

        # Then all of theirs is published, and nothing that the crash took back
        wait_until_all_is_delivered(relay)
    assert_topic_and_table_agree(relay)
    assert relay.sql("select count(*) from outbox.domain_events") == [(32,)]


def test_crashes_under_load_lose_and_double_nothing_and_publish_nothing_that_is_not_there(
    crashing: Relay, server: LocalPostgres
) -> None:
    # Given writers that roll back now and then and come back after each crash
    relay = crashing
    ending = threading.Event()

    def write(writer: int) -> None:
        chance = random.Random(writer)
        while not ending.is_set():
            try:
                with psycopg.connect(relay.database_url) as connection:
                    while not ending.is_set():
                        publish(connection, f"c{chance.randrange(50)}")
                        if chance.random() < 0.4:
                            connection.rollback()
                        else:
                            connection.commit()
                        ending.wait(0.002)
            except psycopg.OperationalError:
                ending.wait(0.01)

    with relay.running() as worker, ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, number) for number in range(4)]
        try:
            for _ in range(CRASHES):
                before = count(relay, "deliveries")
                until(lambda least=before + 100: count(relay, "deliveries") >= least, timeout=60)

                # When the database crashes, and services are back first
                os.kill(worker.pid, signal.SIGSTOP)
                server.kill()
                server.start()
                before = count(relay, "domain_events")
                until(lambda least=before + 50: count(relay, "domain_events") >= least)
                os.kill(worker.pid, signal.SIGCONT)
        finally:
            ending.set()
            os.kill(worker.pid, signal.SIGCONT)
        for writer in writers:
            writer.result()
        wait_until_all_is_delivered(relay)

    # Then topic and table agree
    assert_topic_and_table_agree(relay)


class NeverDone(Future[None]):
    """Nobody learns what is on disk."""

    def set_result(self, result: None) -> None:
        """Keeps it to itself."""


def test_nothing_is_committed_to_kafka_before_it_is_known_to_be_on_disk(
    make_relay: Callable[..., Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a worker that nobody tells what is on disk
    relay = make_relay(shards="1", transaction_timeout_ms="1000")
    monkeypatch.chdir(relay.folder)
    with monkeypatch.context() as silence, relay.working_here():
        silence.setattr(feed, "Future", NeverDone)
        relay.publish("a", 1)
        # When it has come to the end of a transaction again and again
        until(lambda: relay.sql("select epoch >= 3 from outbox.shards") == [(True,)])
        # Then nothing is out
        assert relay.published() == []
        # and all is as soon as it is told
        silence.undo()
        relay.wait_until_delivered(1)
    assert len(relay.published()) == 1


def count(relay: Relay, table: str) -> int:
    return int(relay.sql(f"select count(*) from outbox.{table}")[0][0])
