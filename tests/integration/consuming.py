"""What tests of consumer groups share: a domain of their own on the real broker, its events,
a producer in the relay's wire format, and groups that run in threads or processes."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import psycopg
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from relay.consume import Group
from relay.consume.worker import consume
from relay.errors import SchemaUnknown
from relay.events import DomainEvent
from relay.schema.avro.encoder import compile_encoder
from relay.schema.catalog import Catalog
from relay.settings import Settings, load_settings
from tests.sql import run_sql
from tests.stack import until

SCHEMA_ID = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted(DomainEvent):
    """The event of these tests: a number of its aggregate."""

    EVENT_TYPE: ClassVar[str] = "counted"
    AGGREGATE_TYPE: ClassVar[str] = "counter"
    SCHEMA: ClassVar[dict[str, Any]] = {
        "type": "record",
        "name": "Counted",
        "namespace": "relay.events.counting",
        "fields": [{"name": "number", "type": "int"}],
    }

    number: int


class OneSchema:
    """Knows the schema of Counted alone."""

    def schema(self, schema_id: int) -> dict[str, Any]:
        if schema_id != SCHEMA_ID:
            raise SchemaUnknown(f"no schema {schema_id}")
        return Counted.SCHEMA


@dataclass
class World:
    """One domain with its topics, one database, one consumer group by the test's name."""

    folder: Path
    name: str
    database_url: str
    bootstrap_servers: str
    partitions: int = 2
    schema_id: int = SCHEMA_ID

    def __post_init__(self) -> None:
        self.domain = self.name.replace("-", "_")
        self.group = f"g-{self.name}"[:50]
        self.topic = f"events.{self.domain}"
        self._encode = compile_encoder(Counted.SCHEMA)
        self._sent = 0
        folder = self.folder / self.domain
        folder.mkdir(parents=True)
        self._write_domain(self.group)
        schema = Counted.SCHEMA | {"namespace": f"relay.events.{self.domain}"}
        (folder / "counted.v1.avsc").write_text(json.dumps(schema))
        self.dlq = Catalog.dlq_topic(self.topic, self.group)
        self.retry = Catalog.retry_topic(self.topic, self.group)
        self._admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        self.create_topics()
        with self.connect() as connection:
            connection.execute(
                "create table effects (position bigint generated always as identity, "
                "key text, number int, event_id text, attempt int)"
            )

    def add_group(self, name: str) -> None:
        """One more consumer group of the domain, with its topics."""
        self._write_domain(self.group, name)
        self.create_topics()

    def _write_domain(self, *groups: str) -> None:
        (self.folder / self.domain / "domain.yaml").write_text(
            f"domain: {self.domain}\npartitions: {self.partitions}\nowner: Tests\nevents:\n"
            f"  counted:\n    aggregate: counter\n    versions: {{1: active}}\n"
            f"    consumers: [{', '.join(groups)}]\n"
        )

    def create_topics(self) -> None:
        """Creates those of the catalog's topics that are missing."""
        existing = self._admin.list_topics(timeout=10).topics
        wide = Catalog.load(self.folder).all_topics()
        missing = [NewTopic(topic, n, 1) for topic, n in wide.items() if topic not in existing]
        for made in self._admin.create_topics(missing).values() if missing else ():
            made.result(30)

    def delete_topic(self, topic: str) -> None:
        self._admin.delete_topics([topic])[topic].result(30)
        until(lambda: topic not in self._admin.list_topics(timeout=10).topics)

    def delete_records(self, topic: str) -> None:
        """Deletes all records of a topic, as its retention would."""
        places = [TopicPartition(topic, n, end) for n, end in enumerate(self.ends(topic))]
        for deleted in self._admin.delete_records(places).values():
            deleted.result(30)

    def members(self) -> int:
        """Members of the group that have partitions; -1 while its coordinator is starting."""
        try:
            described = self._admin.describe_consumer_groups([self.group])[self.group].result(10)
        except KafkaException:
            return -1
        return sum(bool(member.assignment.topic_partitions) for member in described.members)

    def committed(self, topic: str) -> int:
        """Records of a topic below the group's committed offsets."""
        asked = [ConsumerGroupTopicPartitions(self.group)]
        found = self._admin.list_consumer_group_offsets(asked)[self.group].result(10)
        return sum(p.offset for p in found.topic_partitions if p.topic == topic and p.offset > 0)

    def ends(self, topic: str) -> list[int]:
        """End offsets of a topic's partitions."""
        places = [TopicPartition(topic, p) for p in range(self.partitions)]
        found = self._admin.list_offsets({place: OffsetSpec.latest() for place in places})
        return [found[place].result(10).offset for place in places]

    def produce(self, topic: str, key: Any, value: Any, headers: Any) -> None:
        """Produces one record as it stands."""
        producer = Producer(
            {"bootstrap.servers": self.bootstrap_servers, "message.max.bytes": 2_000_000}
        )
        producer.produce(topic, key=key, value=value, headers=headers)
        assert producer.flush(30) == 0

    def settings(self, **overrides: Any) -> Settings:
        """Settings of this world with short pauses."""
        return load_settings(
            **{
                "database_url": self.database_url,
                "kafka_bootstrap_servers": self.bootstrap_servers,
                "schemas_dir": self.folder,
                "backoff_initial_ms": 50,
                "backoff_max_ms": 400,
                "name": self.name,
                **overrides,
            }
        )

    def new_group(self, **options: Any) -> Group:
        return Group(self.group, **options)

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.database_url, autocommit=True)

    def rows(self, query: str, *parameters: Any) -> list[Any]:
        return run_sql(self.database_url, query, parameters)

    def numbers(self, key: str) -> list[int]:
        """Numbers that were acted on for a key, in the order of the effects' commits."""
        return [n for (n,) in self.rows(
            "select number from effects where key = %s order by position", key)]  # fmt: skip

    def value(self, number: int) -> bytes:
        return struct.pack(">bI", 0, self.schema_id) + self._encode({"number": number})

    def send(
        self,
        events: Sequence[tuple[str, int]],
        *,
        commit: bool = True,
        ids: Sequence[str] | None = None,
        values: Sequence[bytes | None] | None = None,
        numbered: bool = True,
    ) -> list[str]:
        """Produces events (key, number) in one transaction, as the relay does; their ids.

        numbered: with the outbox's sequence, which other producers have not.
        """
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap_servers,
                "transactional.id": f"{self.name}-{commit}",
                "partitioner": "murmur2_random",
            }
        )
        producer.init_transactions(30)
        producer.begin_transaction()
        made = []
        for index, (key, number) in enumerate(events):
            self._sent += 1
            event_id = ids[index] if ids else f"e{self._sent}-{key}-{number}"
            made.append(event_id)
            headers = {
                "ce_specversion": "1.0",
                "ce_id": event_id,
                "ce_type": "counted",
                "ce_source": "tests",
                "ce_subject": key,
                "ce_time": "2026-01-02T03:04:05.000006Z",
                "ce_aggregatetype": "counter",
                "ce_correlationid": f"c-{key}",
                "content-type": "application/avro",
            }
            if numbered:
                headers["ce_sequence"] = str(self._sent)
            value = values[index] if values else self.value(number)
            while True:
                try:
                    producer.produce(
                        self.topic, key=key, value=value,
                        headers=[(n, t.encode()) for n, t in headers.items()],
                    )  # fmt: skip
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.flush(60)
        if commit:
            producer.commit_transaction(60)
        else:
            producer.abort_transaction(60)
        return made

    @contextmanager
    def running(self, group: Group, **overrides: Any) -> Iterator[threading.Event]:
        """Runs `group` in a thread; an error of it fails the test. Yields its stop event."""
        stop = threading.Event()
        errors: list[BaseException] = []

        def run() -> None:
            try:
                consume(self.settings(**overrides), group, OneSchema(), stop=stop)
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=run, name="group under test")
        thread.start()
        try:
            yield stop
        finally:
            stop.set()
            thread.join(60)
        assert not errors, errors
        assert not thread.is_alive()

    def until_idle(self, group: Group, **overrides: Any) -> None:
        """Runs `group` here until it has nothing more to do."""
        consume(self.settings(**overrides), group, OneSchema(), until_idle=True)

    def records(self, topic: str) -> list[Message]:
        """All committed records of a topic, by partition and offset."""
        reader = Consumer(
            {
                "bootstrap.servers": self.bootstrap_servers,
                "group.id": f"look-{self.name}",
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )
        found: list[Message] = []
        try:
            partitions = reader.list_topics(topic, timeout=10).topics[topic].partitions
            reader.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
            open_partitions = set(partitions)
            while open_partitions:
                message = reader.poll(10)
                assert message is not None, f"{topic} does not answer"
                if message.error() is None:
                    found.append(message)
                else:
                    open_partitions.discard(message.partition())
        finally:
            reader.close()
        return sorted(found, key=lambda m: (m.partition(), m.offset()))


def server_of(connection: psycopg.Connection[Any]) -> str:
    """The running server, as positions know it."""
    row = connection.execute("select inbox.server()").fetchone()
    assert row is not None
    return str(row[0])


def act(event: Counted, context: Any) -> None:
    """The usual handler: one row an event."""
    context.connection.execute(
        "insert into effects (key, number, event_id, attempt) values (%s, %s, %s, %s)",
        (event.aggregate_id, event.number, context.event_id, context.attempt),
    )


def add_recounted(world: World) -> type[Counted]:
    """A second event type of the world's domain, with a handler's class for it."""
    file = world.folder / world.domain / "domain.yaml"
    file.write_text(
        file.read_text()
        + "  recounted:\n    aggregate: counter\n    versions: {1: active}\n"
        + f"    consumers: [{world.group}]\n"
    )
    schema = Counted.SCHEMA | {"name": "Recounted", "namespace": f"relay.events.{world.domain}"}
    (world.folder / world.domain / "recounted.v1.avsc").write_text(json.dumps(schema))

    class Recounted(Counted):
        EVENT_TYPE: ClassVar[str] = "recounted"

    return Recounted
