"""The reconciler: reads all dead-letter topics and writes outcomes to the outbox's flags."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import psycopg
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from relay.consume.failures import ServerChanged
from relay.consume.progress import GroupProgress
from relay.consume.record import LONGEST_EVENT_ID
from relay.consume.session import Session, Stopped, check_tables, idle_timeout_ms
from relay.kafka import headers as names
from relay.kafka.client_log import BrokerWatch
from relay.kafka.clients import group_consumer, leave
from relay.kafka.errors import reason, refusal
from relay.kafka.headers import headers_of
from relay.kafka.offsets import Partition, are_ends
from relay.kafka.topics import describe, open_admin
from relay.observe import Events
from relay.outages import Outages
from relay.postgres.sqlfile import load
from relay.process.event_log import log_event
from relay.process.logs import name_process
from relay.process.waiting import wait_for_servers
from relay.schema.catalog import Catalog
from relay.settings import Settings
from relay.unavailable import is_kafka_refusal

__all__ = ["GroupOutcome", "reconcile"]

log = logging.getLogger(__name__)

BATCH: Final = 500
POLL_S: Final = 0.2
LOOK_FOR_TOPICS_S: Final = 5.0


@dataclass(frozen=True)
class GroupOutcome:
    """The outcome of an event in a group, as a record of a dead-letter topic reports it.

    state: dead or resolved. attempt: the group's attempt that led to it; a greater one wins.
    topic, partition, offset: where the event was first read. at_ms: the record's timestamp,
    milliseconds since the epoch.
    """

    event_id: str
    group: str
    state: str
    attempt: int
    error: str | None
    topic: str
    partition: int
    offset: int
    dlq_topic: str
    dlq_partition: int
    dlq_offset: int
    at_ms: int

    @classmethod
    def of(cls, message: Message) -> GroupOutcome | None:
        """The outcome in a record; None when it is not a dead letter of this relay."""
        found = {name: names.string(value) for name, value in headers_of(message)}
        event_id, group = found.get(names.EVENT), found.get(names.GROUP)
        state, topic = found.get(names.OUTCOME), found.get(names.ORIGIN_TOPIC)
        attempt = names.number(found.get(names.ATTEMPT), names.MOST_ATTEMPT)
        partition = names.number(found.get(names.ORIGIN_PARTITION), names.MOST_PARTITION)
        offset = names.number(found.get(names.ORIGIN_OFFSET), names.MOST_OFFSET)
        dlq_topic, dlq_partition, dlq_offset = (
            message.topic(),
            message.partition(),
            message.offset(),
        )
        if event_id is None or group is None or state not in {"dead", "resolved"}:
            return None
        if len(event_id) > LONGEST_EVENT_ID:
            return None
        if topic is None or attempt is None or partition is None or offset is None:
            return None
        if dlq_topic is None or dlq_partition is None or dlq_offset is None:
            return None
        return cls(
            event_id=event_id,
            group=group,
            state=state,
            attempt=attempt,
            error=found.get(names.MESSAGE),
            topic=topic,
            partition=partition,
            offset=offset,
            dlq_topic=dlq_topic,
            dlq_partition=dlq_partition,
            dlq_offset=dlq_offset,
            at_ms=message.timestamp()[1],
        )


def reconcile(
    settings: Settings, *, until_idle: bool = False, stop: threading.Event | None = None
) -> int:
    """Writes outcomes until `stop` is set; the number of records that were read.

    until_idle: ends when every assigned partition is read to its end.
    Positions are written with the outcomes, and go back with them where the database does (H40);
    offsets are committed to Kafka afterwards. A repeated record changes nothing.
    Waits out outages, at the start as well. Raises CatalogInvalid, ConfigurationInvalid,
    DatabaseRefused, BrokerRefused.
    """
    name_process("reconciler")
    stop = stop or threading.Event()
    outages = Outages(Events(log_event))
    catalog = Catalog.load(settings.schemas_dir)
    if not wait_for_servers(lambda: check_tables(settings.database_url), outages, stop):
        return 0
    watch = BrokerWatch(outages.kafka, "consumer")
    group = f"relay.{settings.name}.reconciler"
    consumer, admin = group_consumer(settings, group, watch), open_admin(settings)
    session = Session(
        settings.database_url,
        "reconciler",
        stop,
        outages,
        idle_timeout_ms=idle_timeout_ms(settings.session_timeout_ms),
    )
    try:
        progress = GroupProgress(group, consumer, admin, session, outages, stop)
        reconciler = _Reconciler(consumer, admin, session, progress, catalog, outages)
        return reconciler.run(until_idle, stop)
    except Stopped:
        return 0
    finally:
        session.close()
        leave(consumer)


class _Reconciler:
    """Runs in one thread, which owns the consumer and the session."""

    def __init__(
        self,
        consumer: Consumer,
        admin: AdminClient,
        session: Session,
        progress: GroupProgress,
        catalog: Catalog,
        outages: Outages,
    ) -> None:
        self._consumer = consumer
        self._admin = admin
        self._session = session
        self._progress = progress
        self._outages = outages
        origins = "|".join(re.escape(topic) for topic in catalog.topics)
        self._pattern = re.compile(rf"(?:{origins})\.[a-z][a-z0-9-]*\.dlq")
        self._topics: list[str] = []
        self._look_again = 0.0
        self._ends: dict[Partition, int] = {}
        # With the server that the position of each was read from.
        self._assigned: dict[Partition, str] | None = None

    def run(self, until_idle: bool, stop: threading.Event) -> int:
        """The loop; the number of records that were read."""
        count = 0
        while not stop.is_set():
            if time.monotonic() >= self._look_again:
                wait_for_servers(
                    self._follow_topics, self._outages, stop, running=self._look_again > 0
                )
            messages = self._read()
            if messages:
                self._write(messages)
                count += len(messages)
            elif until_idle and (not self._topics or self._at_end()):
                break
        return count

    def _follow_topics(self) -> None:
        """Subscribes to the dead-letter topics that exist, new ones too."""
        topics = sorted(t for t in describe(self._admin).topics if self._pattern.fullmatch(t))
        self._look_again = time.monotonic() + LOOK_FOR_TOPICS_S
        if topics != self._topics:
            self._topics = topics
            log.info("reads %s", ", ".join(topics) or "nothing yet")
            if topics:
                self._consumer.subscribe(
                    topics, on_assign=self._on_assign, on_revoke=self._on_revoke,
                    on_lost=self._on_revoke,
                )  # fmt: skip

    def _read(self) -> list[Message]:
        if not self._topics:
            time.sleep(POLL_S)
            return []
        first = self._consumer.poll(POLL_S)
        if first is None:
            return []
        records = []
        for message in [first, *self._consumer.consume(BATCH, 0)]:
            error = message.error()
            place = _place(message)
            if error is None:
                self._ends.pop(place, None)
                records.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._ends[place] = message.offset() or 0
            elif is_kafka_refusal(error):
                raise refusal(error)
            else:
                log.info("Kafka: %s", error.str())
        return records

    def _write(self, messages: Sequence[Message]) -> None:
        outcomes = []
        for message in messages:
            outcome = GroupOutcome.of(message)
            if outcome is None:
                log.warning(
                    "%s[%s]@%s is not a dead letter of a group of this relay and is skipped",
                    message.topic(), message.partition(), message.offset(),
                )  # fmt: skip
            else:
                outcomes.append(asdict(outcome))
        following = {_place(m): (m.offset() or 0) + 1 for m in messages}
        following = {place: offset for place, offset in following.items() if place in self._places}
        servers = {self._places[place] for place in following}
        try:
            self._session.run(
                lambda connection: self._store(connection, outcomes, following, servers)
            )
        except ServerChanged:
            self._read_again()
            return
        try:
            self._consumer.commit(
                offsets=[TopicPartition(*place, offset) for place, offset in following.items()],
                asynchronous=False,
            )
        except KafkaException as error:
            log.info("offsets were not committed, the records come again: %s", reason(error))

    def _store(
        self,
        connection: psycopg.Connection[Any],
        outcomes: list[dict[str, Any]],
        following: Mapping[Partition, int],
        servers: Collection[str],
    ) -> None:
        with connection.transaction(), connection.cursor() as cursor:
            if outcomes:
                cursor.executemany(load(__package__, "write_outcome.sql"), outcomes)
            self._progress.write_in(connection, following, servers)

    def _at_end(self) -> bool:
        if self._assigned is None or self._assigned.keys() - self._ends.keys():
            return False
        return are_ends(self._admin, {place: self._ends[place] for place in self._assigned})

    def _on_assign(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        places = [(p.topic, p.partition) for p in partitions]
        self._begin(places, self._progress.assign(places))

    def _read_again(self) -> None:
        places = list(self._places)
        self._assigned = {}
        self._ends.clear()
        self._begin(places, self._progress.assign_again(places, server_changed=True))

    def _begin(self, places: Collection[Partition], server: str | None) -> None:
        taken = {} if server is None else dict.fromkeys(places, server)
        self._assigned = {**self._places, **taken}

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        for p in partitions:
            self._places.pop((p.topic, p.partition), None)
            self._ends.pop((p.topic, p.partition), None)

    @property
    def _places(self) -> dict[Partition, str]:
        return self._assigned if self._assigned is not None else {}


def _place(message: Message) -> Partition:
    return message.topic() or "", message.partition() or 0
