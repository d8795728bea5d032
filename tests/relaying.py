"""A relay under test: a catalog of its own, real worker processes, and a reader of its topics."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import psycopg
import yaml
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from relay.kafka import topics
from relay.kafka.offsets import read_bounds
from relay.kafka.options import client_options
from relay.local import watchdog
from relay.postgres.connect import connect
from relay.publish import pinned
from relay.publish.worker import Worker
from relay.schema.approvals.adopt import adopt_catalog, adopt_event_type
from relay.schema.approvals.registration import register_catalog
from relay.schema.catalog import Catalog
from relay.schema.client.client import RegistryClient
from relay.settings import Settings, load_settings
from tests.commands import run_relay
from tests.sql import run_sql
from tests.stack import until

SCHEMA_FIELDS: list[dict[str, Any]] = [
    {"name": "number", "type": "long", "doc": "counts within the aggregate"},
    {"name": "note", "type": "string", "default": "", "doc": "free text"},
]


ROOT = Path(__file__).resolve().parents[1]


class Record(NamedTuple):
    """A committed record of an event topic."""

    topic: str
    partition: int
    offset: int
    key: str
    event_id: str
    sequence: int
    headers: dict[str, str]
    value: bytes


@dataclass
class Relay:
    """One relay: its database, catalog and settings."""

    name: str
    domain: str
    folder: Path
    environment: dict[str, str]
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def database_url(self) -> str:
        return self.environment["EVENT_BUS_DATABASE_URL"]

    @property
    def topic(self) -> str:
        return f"events.{self.domain}"

    @property
    def positions_topic(self) -> str:
        return f"relay.{self.name}.positions"

    def command(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Runs `relay ...` to its end."""
        return run_relay(
            *words, environment={**os.environ, **self.environment, **more}, folder=self.folder
        )

    def must(self, *words: str, **more: str) -> str:
        """Runs `relay ...`, which must succeed; its standard output."""
        done = self.command(*words, **more)
        assert done.returncode == 0, f"relay {' '.join(words)}: {done.stderr[-3000:]}"
        return done.stdout

    def set_up(self) -> None:
        """What `relay migrate` and `relay schemas register` do, without their start-up time."""
        catalog = Catalog.load(self.folder / "schemas")
        settings = self.settings()
        admin = AdminClient(client_options(settings))
        with connect(settings.database_url) as connection:
            pinned.pin(connection, admin, settings, catalog.topics)
            adopt_catalog(connection, catalog, by="relay migrate")
        topics.create(admin, catalog.all_topics())
        with RegistryClient(settings.schema_registry_url) as client:
            assert all(not done.problem for done in register_catalog(catalog, client))

    def settings(self) -> Settings:
        """The settings as the processes of the relay see them."""
        return load_settings(
            **{
                name.removeprefix("EVENT_BUS_").lower(): json.loads(value)
                if name.endswith("_OPTIONS")
                else value
                for name, value in self.environment.items()
            }
        )

    def start(
        self,
        *words: str,
        cwd: Path | None = None,
        module: str = "relay.cli.main",
        **more: str,
    ) -> subprocess.Popen[bytes]:
        """Starts `relay ...` in the background; its standard error goes to `<folder>/log`.

        cwd: a folder of its own, as on another machine. module: runs it, where a test changes it.
        """
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *words],
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    **self.environment,
                    **more,
                    **watchdog.mark(),
                },
                cwd=cwd or self.folder,
                stdout=log,
                stderr=log,
            )
        self.started.append(process)
        return process

    def end_all(self) -> None:
        """Ends what a failed test has left running."""
        for process in self.started:
            if process.poll() is None:
                end(process)

    @contextmanager
    def running(self, *words: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
        """`relay run ...` in the background, ended afterwards."""
        process = self.start("run", *words, **more)
        try:
            yield process
        finally:
            end(process)

    @contextmanager
    def working_here(self) -> Iterator[None]:
        """A worker in a thread of this process, for tests that reach into it."""
        worker = Worker(self.settings())
        failures: list[BaseException] = []

        def run() -> None:
            try:
                worker.run()
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            worker.stop()
            thread.join()
        assert not failures, failures

    def log(self) -> str:
        """What the processes in the background wrote."""
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def add_event_type(self, event_type: str, fields: Sequence[dict[str, Any]]) -> None:
        """Adds an active event type to the catalog, and adopts it."""
        add_event_type(self.folder / "schemas", self.domain, event_type, fields)
        self.adopt(event_type)

    def adopt(self, event_type: str) -> None:
        """What `relay schemas adopt` does."""
        found = Catalog.load(self.folder / "schemas").event_type(event_type)
        with connect(self.database_url) as connection:
            assert adopt_event_type(connection, found, "tests", "nobody else is here")

    def topic_of(self, word: str) -> str:
        """Topic of the domain that add_domain(word, ...) made."""
        return f"events.{self.domain}_{word}"

    def add_domain(self, word: str, event_type: str) -> None:
        """Adds a domain with one event type like `counted` to the catalog, and adopts it."""
        create_domain(self.folder / "schemas", f"{self.domain}_{word}", 4)
        add_event_type(self.folder / "schemas", f"{self.domain}_{word}", event_type, SCHEMA_FIELDS)
        self.adopt(event_type)

    def sql(self, query: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Runs one statement and commits it."""
        return run_sql(self.database_url, query, parameters)

    @contextmanager
    def locked(self, table: str) -> Iterator[None]:
        """Lets nobody write to a table."""
        with psycopg.connect(self.database_url) as connection:
            connection.execute(f"lock table {table} in exclusive mode")
            yield

    def publish(self, aggregate: str, number: int, event_type: str = "counted", **more: Any) -> str:
        """Writes one event in a transaction of its own; its id."""
        payload = {"number": number, **more}
        row = self.sql(
            "select outbox.publish(%s, 'counter', %s, %s::jsonb)",
            (event_type, aggregate, json.dumps(payload)),
        )
        return str(row[0][0])

    def insert(self, aggregate: str, number: int, event_type: str) -> str:
        """Writes one event past `outbox.publish`, which refuses types that nobody decided about;
        its id."""
        row = self.sql(
            """insert into outbox.domain_events
                   (event_type, aggregate_type, aggregate_id, payload)
               values (%s, 'counter', %s, %s)
               returning id""",
            (event_type, aggregate, json.dumps({"number": number})),
        )
        return str(row[0][0])

    def status(self) -> list[dict[str, Any]]:
        """All rows of the status view in order of seq."""
        with psycopg.connect(
            self.database_url, autocommit=True, row_factory=psycopg.rows.dict_row
        ) as connection:
            return connection.execute(
                "select * from outbox.domain_event_status order by seq"
            ).fetchall()

    def published(self, isolation: str = "read_committed") -> list[Record]:
        """All records of the event topic now."""
        return read_topic(
            self.environment["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"], self.topic, isolation
        )

    def produce(self, record: Record, **headers: str) -> None:
        """Writes a record of the event topic once more, with some headers changed."""
        servers = self.environment["EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"]
        producer = Producer({"bootstrap.servers": servers})
        producer.produce(
            record.topic,
            record.value,
            record.key,
            record.partition,
            headers=list({**record.headers, **headers}.items()),
        )
        assert producer.flush(20) == 0

    def wait_until_delivered(self, count: int, timeout: float = 30.0) -> None:
        """Waits for `count` flags; a failure shows what the processes wrote."""
        try:
            until(
                lambda: self.sql("select count(*) from outbox.deliveries")[0][0] >= count,
                timeout=timeout,
                what=f"{count} deliveries",
            )
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-5000:]}") from None

    def wait_until_held(self, count: int) -> None:
        """Waits until `count` events are held; a failure shows what the processes wrote."""
        try:
            until(lambda: self.sql("select count(*) from outbox.holds") == [(count,)], timeout=120)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-5000:]}") from None

    def wait_until_decided(self) -> None:
        """Waits until no transaction is open, which comes after the flags: a broker that crashes
        before may leave a transaction without an end (H55)."""
        admin = AdminClient(client_options(self.settings()))
        names = (self.positions_topic, self.topic)

        def decided() -> bool:
            return read_bounds(admin, names) == read_bounds(admin, names, undecided=True)

        until(decided, what="no open transaction")


def create_relay(
    folder: Path,
    name: str,
    *,
    database_url: str,
    bootstrap_servers: str,
    registry_url: str,
    partitions: int | str = 4,
    **settings: str,
) -> Relay:
    """A migrated relay whose catalog has one domain with the event type `counted`, registered."""
    domain = f"d_{name}".replace("-", "_")
    create_domain(folder / "schemas", domain, int(partitions))
    add_event_type(folder / "schemas", domain, "counted", SCHEMA_FIELDS)
    relay = Relay(
        name,
        domain,
        folder,
        {
            "EVENT_BUS_NAME": name,
            "EVENT_BUS_DATABASE_URL": database_url,
            "EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "EVENT_BUS_SCHEMA_REGISTRY_URL": registry_url,
            "EVENT_BUS_SCHEMAS_DIR": str(folder / "schemas"),
            "EVENT_BUS_SHARDS": "2",
            "EVENT_BUS_SESSION_TIMEOUT_MS": "2000",
            **{f"EVENT_BUS_{key.upper()}": value for key, value in settings.items()},
        },
    )
    relay.set_up()
    return relay


def create_domain(schemas: Path, domain: str, partitions: int) -> None:
    """Makes a domain without event types in a catalog."""
    (schemas / domain).mkdir(parents=True)
    (schemas / domain / "domain.yaml").write_text(
        yaml.safe_dump({"domain": domain, "owner": "Tests", "partitions": partitions, "events": {}})
    )


def add_event_type(
    schemas: Path, domain: str, event_type: str, fields: Sequence[dict[str, Any]]
) -> None:
    """Adds an active event type of the aggregate `counter` to a domain of a catalog."""
    file = schemas / domain / "domain.yaml"
    content = yaml.safe_load(file.read_text())
    content["events"][event_type] = {
        "aggregate": "counter",
        "versions": {1: "active"},
        "consumers": ["readers"],
    }
    file.write_text(yaml.safe_dump(content))
    camel = "".join(word[:1].upper() + word[1:] for word in event_type.replace(".", "_").split("_"))
    (schemas / domain / f"{event_type}.v1.avsc").write_text(
        json.dumps(
            {
                "type": "record",
                "name": camel,
                "namespace": f"relay.events.{domain}",
                "fields": list(fields),
            }
        )
    )


def read_topic(
    bootstrap_servers: str, topic: str, isolation: str = "read_committed"
) -> list[Record]:
    """All records of a topic up to its ends now, in the order of each partition.

    What is committed can be hidden for a moment behind a transaction that is just ending, so the
    reading goes on until it has come to the high watermark.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "tests",
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        admin = AdminClient({"bootstrap.servers": bootstrap_servers})
        latest = OffsetSpec.latest()
        asked = {TopicPartition(topic, number): latest for number in partitions}
        ends = {
            place.partition: future.result().offset
            for place, future in admin.list_offsets(asked).items()
        }
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        open_ = set(partitions)
        records = []
        deadline = time.monotonic() + 30
        while open_:
            assert time.monotonic() < deadline, f"no end of {topic} {open_}; a hanging transaction?"
            messages: list[Any] = consumer.consume(10_000, 0.2)
            for message in messages:
                if message.error() is not None:
                    assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                    if message.offset() >= ends[message.partition()]:
                        open_.discard(message.partition())
                    continue
                headers = {name: value.decode() for name, value in message.headers() or []}
                records.append(
                    Record(
                        topic,
                        message.partition(),
                        message.offset(),
                        (message.key() or b"").decode(),
                        headers.get("ce_id", ""),
                        int(headers.get("ce_sequence", "0")),
                        headers,
                        message.value() or b"",
                    )
                )
        return records
    finally:
        consumer.close()


def end(process: subprocess.Popen[bytes], timeout: float = 20.0) -> int:
    """Ends a process gently, or by force when it takes too long; its status."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a process without notice."""
    process.send_signal(signal.SIGKILL)
    process.wait()


def kill_a_worker(supervisor: int) -> None:
    """SIGKILL to the oldest worker; returns once the supervisor has started another."""
    before = {child.pid for child in psutil.Process(supervisor).children()}
    os.kill(min(before), signal.SIGKILL)
    until(
        lambda: {child.pid for child in psutil.Process(supervisor).children()} - before,
        what="a new worker in place of the killed one",
    )
