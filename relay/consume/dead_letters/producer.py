"""Produces dead letters and their outcomes from the database to their topics."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any, Final

import psycopg
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from psycopg.rows import class_row

from relay.consume.session import Sessions
from relay.consume.signals import Signals
from relay.consume.thread import GroupThread
from relay.kafka import headers as names
from relay.kafka.clients import idempotent_producer
from relay.outages import Outages
from relay.postgres.sqlfile import load
from relay.settings import Settings
from relay.unavailable import is_kafka_outage

__all__ = ["DeadLetterProducer", "Omit", "UnsentDeadLetter"]

log = logging.getLogger(__name__)

POLL_S: Final = 0.25
FLUSH_S: Final = 16.0
_REPORTER: Final = "dead letters"
_OMITTED: Final = b"too large, see inbox.dead_letters"


class Omit(IntEnum):
    """What a record goes without that is too large for its topic; each step includes those before
    it. ALL that comes from the event: its key, too."""

    NOTHING = 0
    VALUE = 1
    FOREIGN_HEADERS = 2
    STACKTRACE = 3
    ALL = 4


@dataclass(frozen=True)
class UnsentDeadLetter:
    """A dead letter whose state is not in its topic yet. Fields: columns of the table."""

    event_id: str
    attempt: int
    state: str
    topic: str
    partition: int
    kafka_offset: int
    key: bytes
    value: bytes | None
    header_names: list[str]
    header_values: list[bytes | None]
    stage: str
    error_class: str
    error: str
    stacktrace: str
    first_failed_at: datetime
    failed_at: datetime
    settled_at: datetime | None
    dlq_topic: str

    @property
    def key_of_attempt(self) -> tuple[str, int]:
        """Identifies it among the dead letters of a group."""
        return self.event_id, self.attempt

    def record(self, group: str, omit: Omit) -> dict[str, Any]:
        """The parts of its record that grow with the event's: key, value and headers."""
        headers = self._original_headers(omit) + self._own_headers(group, omit)
        if omit >= Omit.VALUE:
            headers.append((names.VALUE_OMITTED, _OMITTED))
        if omit >= Omit.FOREIGN_HEADERS:
            headers.append((names.HEADERS_OMITTED, _OMITTED))
        sends_value = omit < Omit.VALUE and self.state != "resolved"
        return {
            "key": self.key if self.key and omit < Omit.ALL else None,
            "value": self.value if sends_value else None,
            "headers": headers,
        }

    def _original_headers(self, omit: Omit) -> list[tuple[str, bytes | None]]:
        original = zip(self.header_names, self.header_values, strict=True)
        if omit >= Omit.ALL:
            return []
        if omit >= Omit.FOREIGN_HEADERS:
            return [header for header in original if header[0] in names.OF_EVENTS]
        return list(original)

    def _own_headers(self, group: str, omit: Omit) -> list[tuple[str, bytes | None]]:
        """Where and why the event failed in `group`.

        `__dlq.id` (event, group and attempt) is the same when the record is sent twice.
        """
        own = {
            names.DEAD_LETTER_ID: f"{self.event_id}/{group}/{self.attempt}",
            names.EVENT: self.event_id,
            names.OUTCOME: "resolved" if self.state == "resolved" else "dead",
            names.GROUP: group,
            names.ATTEMPT: str(self.attempt),
            names.ORIGIN_TOPIC: self.topic,
            names.ORIGIN_PARTITION: str(self.partition),
            names.ORIGIN_OFFSET: str(self.kafka_offset),
        }
        if self.state != "resolved":
            own |= {
                names.MESSAGE: self.error,
                names.EXCEPTION_CLASS: self.error_class,
                names.EXCEPTION_STACKTRACE: self.stacktrace if omit < Omit.STACKTRACE else "",
                names.STAGE: self.stage,
                names.FIRST_FAILED_AT: names.timestamp(self.first_failed_at),
                names.FAILED_AT: names.timestamp(self.failed_at),
            }
        elif self.settled_at is not None:
            own[names.RESOLVED_AT] = names.timestamp(self.settled_at)
        return [(name, text.encode()) for name, text in own.items()]


class DeadLetterProducer(GroupThread):
    """Owns its producer. Sends each dead letter at least once: it stays unsent until the broker has
    acknowledged it."""

    def __init__(
        self,
        settings: Settings,
        group: str,
        sessions: Sessions,
        signals: Signals,
        outages: Outages,
    ) -> None:
        super().__init__(f"{group} dead letters", sessions.new("dead letters"), signals)
        self._settings = settings
        self._group = group
        self._kafka = outages.kafka
        # What the records of attempts go without, since the broker refused them as too large.
        self._omitted: dict[tuple[str, int], Omit] = {}
        # Whether the producer has failed for good, such as by a sequence number that the broker
        # does not expect after a crash.
        self._is_broken = False

    def work(self) -> None:
        """Sends unsent dead letters, then waits for the next."""
        producer: Producer | None = None
        try:
            while not self._signals.ending.is_set():
                leased = self._session.run(self._lease)
                if leased:
                    producer = producer or idempotent_producer(
                        self._settings, f"{self._group}-dead-letters"
                    )
                    self._send(producer, leased)
                    if self._is_broken:
                        producer.close()
                        producer, self._is_broken = None, False
                else:
                    self._signals.dead_letters.wait(POLL_S)
                    self._signals.dead_letters.clear()
        finally:
            if producer is not None:
                producer.close()

    def _lease(self, connection: psycopg.Connection[Any]) -> list[UnsentDeadLetter]:
        """Dead letters to send that no other process is sending, in the order of their failures."""
        with connection.cursor(row_factory=class_row(UnsentDeadLetter)) as cursor:
            cursor.execute(load(__package__, "lease_unsent.sql"), {"group": self._group})
            return sorted(cursor, key=lambda each: each.settled_at or each.failed_at)

    def _send(self, producer: Producer, dead_letters: list[UnsentDeadLetter]) -> None:
        sent: list[dict[str, Any]] = []
        before = dict(self._omitted)
        for each in dead_letters:
            omit = self._omitted.get(each.key_of_attempt, Omit.NOTHING)
            try:
                producer.produce(
                    each.dlq_topic,
                    **each.record(self._group, omit),
                    on_delivery=self._on_delivery(each, sent),
                )
            except KafkaException as error:
                self._refused(each, error.args[0])
        producer.flush(FLUSH_S)
        if sent:
            self._kafka.recovered(_REPORTER)
            self._session.run(lambda connection: self._mark(connection, sent))
            for marked in sent:
                self._omitted.pop((marked["event_id"], marked["attempt"]), None)
        smaller = [
            each
            for each in dead_letters
            if self._omitted.get(each.key_of_attempt, Omit.NOTHING)
            > before.get(each.key_of_attempt, Omit.NOTHING)
        ]
        if smaller:
            self._send(producer, smaller)
        elif len(sent) < len(dead_letters):
            self._signals.ending.wait(1)

    def _on_delivery(
        self, dead_letter: UnsentDeadLetter, sent: list[dict[str, Any]]
    ) -> Callable[[KafkaError | None, Message], None]:
        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._refused(dead_letter, error)
                return
            sent.append(
                {
                    "group": self._group,
                    "event_id": dead_letter.event_id,
                    "attempt": dead_letter.attempt,
                    "dlq_partition": message.partition(),
                    "dlq_offset": message.offset(),
                }
            )

        return delivered

    def _refused(self, dead_letter: UnsentDeadLetter, error: KafkaError) -> None:
        """Leaves it unsent; it is retried when its lease has expired.

        With the headers of a dead letter, a record that just fitted its topic may be too large:
        then it is sent with less and less, which the database keeps.
        """
        if is_kafka_outage(error):
            self._kafka.unavailable(_REPORTER, error.str())
            return
        log.warning(
            "the dead letter of %s could not be sent to %s and is retried: %s",
            dead_letter.event_id,
            dead_letter.dlq_topic,
            error,
        )
        if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            omitted = self._omitted.get(dead_letter.key_of_attempt, Omit.NOTHING)
            self._omitted[dead_letter.key_of_attempt] = Omit(min(omitted + 1, Omit.ALL))
        else:
            self._is_broken = True

    @staticmethod
    def _mark(connection: psycopg.Connection[Any], sent: list[dict[str, Any]]) -> None:
        # In the order in which everyone locks dead letters, or two would wait for each other.
        ordered = sorted(sent, key=lambda each: each["event_id"])
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(load(__package__, "mark_sent.sql"), ordered)
