"""H39: a commit that arrives late, after it was sent again, commits nothing of what follows."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import Consumer, TopicPartition

from relay.local.kafka import LocalKafka
from relay.local.ports import HOST
from tests.end_txn_proxy import POINTS, Cut, Injection, Point, Proxy
from tests.relaying import Relay

INJECTIONS = 20
CUTS: tuple[Cut, ...] = ("reset", "closed", "reset", "closed", "silent")
WRITERS = 3


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    proxy = Proxy()
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def kafka(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """A broker to which everybody comes through the proxy, but for the first connection."""
    server = LocalKafka(
        tmp_path_factory.mktemp("kafka"),
        properties={
            "advertised.listeners": f"PLAINTEXT://{HOST}:{proxy.port}",
            "group.min.session.timeout.ms": "1000",
        },
    )
    proxy.upstream = lambda: server.port
    server.start()
    yield server
    server.kill()


@dataclass
class Seen:
    """Events in the order in which a read_committed consumer saw them: key and sequence."""

    ids: list[str] = field(default_factory=list)
    order: dict[str, list[int]] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    def follow(self, servers: str, topic: str) -> None:
        """Reads until `stop` is set."""
        consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": "reader",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 20,
                "log_level": 2,
            }
        )
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        while not self.stop.is_set():
            for message in consumer.consume(500, 0.05):
                if message.error() is None:
                    headers = dict(message.headers() or [])
                    self.ids.append(headers["ce_id"].decode())
                    key = (message.key() or b"").decode()
                    self.order.setdefault(key, []).append(int(headers["ce_sequence"]))
        consumer.close()


def write(relay: Relay, writer: int, stop: threading.Event, gate: threading.Event) -> None:
    """Writes an event every 30 milliseconds, each aggregate by one writer alone."""
    with psycopg.connect(relay.database_url, autocommit=True) as connection:
        for number in itertools.count():
            if stop.wait(0.03):
                return
            gate.wait()
            connection.execute(
                "select outbox.publish('counted', 'counter', %s, %s::jsonb)",
                (f"a{writer}-{number % 20}", f'{{"number": {number}}}'),
            )


@pytest.mark.parametrize("point", POINTS)
def test_a_late_copy_of_a_commit_neither_doubles_nor_shows_anything_early(
    make_relay: Callable[..., Relay], kafka: LocalKafka, proxy: Proxy, point: Point, tmp_path: Path
) -> None:
    # Given a relay that publishes what three writers write, and a reader of committed records
    relay = make_relay(
        bootstrap_servers=kafka.bootstrap_servers,
        shards="1",
        kafka_options='{"socket.timeout.ms": 500}',
    )
    proxy.client, proxy.positions = f"relay.{relay.name}.0", relay.positions_topic
    seen, stop, gate = Seen(), threading.Event(), threading.Event()
    gate.set()
    threads = [
        threading.Thread(target=write, args=(relay, writer, stop, gate))
        for writer in range(WRITERS)
    ]
    reader = threading.Thread(
        target=seen.follow, args=(kafka.bootstrap_servers, relay.topic), daemon=True
    )
    found: list[Injection] = []
    with relay.running():
        for thread in (*threads, reader):
            thread.start()
        relay.wait_until_delivered(1)
        # When commits are sent again and their first copies arrive late, with each kind of cut
        try:
            deadline = time.monotonic() + 150
            for cut in itertools.cycle(CUTS):
                if sum(one.late_answer is not None for one in found) >= INJECTIONS:
                    break
                assert time.monotonic() < deadline, (found, relay.log()[-5000:])
                found.append(proxy.inject(point, cut, timeout=5))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        written = relay.sql("select id from outbox.domain_events")
        relay.wait_until_delivered(len(written))
    # Then the broker took none of them for the next transaction's commit
    late = [one for one in found if one.late_answer is not None]
    assert {one.late_answer for one in late} == {"INVALID_PRODUCER_EPOCH"}
    assert {one.cut for one in late} == set(CUTS)
    # and every event is there once, in the order of its aggregate, and was not seen before
    deadline = time.monotonic() + 20
    while len(seen.ids) < len(written) and time.monotonic() < deadline:
        time.sleep(0.05)
    seen.stop.set()
    reader.join()
    assert sorted(seen.ids) == sorted(row[0] for row in written)
    assert all(order == sorted(order) for order in seen.order.values())
