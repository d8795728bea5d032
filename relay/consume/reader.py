"""The reader: takes records from Kafka, gives them to lanes, commits what is done."""

from __future__ import annotations

import logging
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from relay.consume.lane import Lane
from relay.consume.majors import Majors
from relay.consume.partition import Item, Partition
from relay.consume.record import Record
from relay.errors import ConfigurationInvalid, RelayError
from relay.kafka.clients import Ends, as_bytes, headers_of, leave, reason, require_topics

__all__ = ["InFlight", "Reader"]

log = logging.getLogger(__name__)

FETCH: Final = 500
POLL_S: Final = 0.1
COMMIT_EVERY_S: Final = 0.5
MOST_RECORDS: Final = 4_000
MOST_BYTES: Final = 32 * 2**20
PATIENCE_S: Final = 0.5


class InFlight:
    """What is in the lanes, and whether that is enough. Any thread may call any method."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.records = 0
        self.bytes = 0

    def add(self, item: Item) -> None:
        with self._changed:
            self.records += 1
            self.bytes += len(item.record.value or b"")

    def remove(self, item: Item) -> None:
        with self._changed:
            self.records -= 1
            self.bytes -= len(item.record.value or b"")
            self._changed.notify_all()

    @property
    def full(self) -> bool:
        return self.records >= MOST_RECORDS or self.bytes >= MOST_BYTES

    def wait_for_room(self, seconds: float) -> bool:
        """Waits until half of the room is free; False when time ran out."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self.records <= MOST_RECORDS // 2 and self.bytes <= MOST_BYTES // 2, seconds
            )

    def wait_until_empty(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.records == 0, seconds)


class Reader:
    """Runs in one thread, which alone touches the consumer; its callbacks come in that thread.

    topics: retry topic or domain's topic -> the domain's topic. majors: what the group takes.
    stopping: whether the end has come, so that full lanes are not waited for.
    """

    def __init__(
        self,
        consumer: Consumer,
        topics: dict[str, str],
        majors: Majors,
        lanes: Sequence[Lane],
        in_flight: InFlight,
        *,
        stopping: Callable[[], bool],
        revoke_patience_s: float,
    ) -> None:
        self._consumer = consumer
        self._topics = topics
        self._majors = majors
        self._lanes = lanes
        self._in_flight = in_flight
        self._stopping = stopping
        self._revoke_patience_s = revoke_patience_s
        self._partitions: dict[tuple[str, int], Partition] = {}
        self._assigned_once = False
        self._next_commit = 0.0

    def subscribe(self, needed: Iterable[str] = ()) -> None:
        """Joins the group. needed: further topics that must exist.

        Raises ConfigurationInvalid for missing topics, BrokerUnavailable.
        """
        require_topics(self._consumer, [*self._topics, *needed])
        self._consumer.subscribe(
            list(self._topics),
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    def step(self) -> None:
        """Reads what has come, at most some hundred records, and commits what is due."""
        if self._in_flight.full and not self._in_flight.wait_for_room(PATIENCE_S):
            self._hold_still()
        message = self._consumer.poll(POLL_S)
        if message is not None:
            self._hand_out([message, *self._consumer.consume(FETCH, 0)])
        if time.monotonic() >= self._next_commit:
            self._commit(asynchronous=True)
            self._next_commit = time.monotonic() + COMMIT_EVERY_S

    def at_end(self, ends: Ends) -> bool:
        """Whether every assigned partition was read to its end and nothing is in the lanes.

        The end is that of the broker now; records of open transactions count as not read yet.
        """
        if not self._assigned_once or self._in_flight.records:
            return False
        read = {place: partition.end for place, partition in self._partitions.items()}
        known = {place: end for place, end in read.items() if end is not None}
        return len(known) == len(read) and ends.reached(known)

    def close(self) -> None:
        """Commits what is done and leaves the group. The lanes must have ended before."""
        self._commit(asynchronous=False)
        leave(self._consumer)

    def _hand_out(self, messages: Iterable[Message]) -> None:
        """Gives each lane its records, in their order."""
        shares: dict[int, list[Item]] = {}
        for message in messages:
            if item := self._take(message):
                self._in_flight.add(item)
                shares.setdefault(_lane_of(item.record, len(self._lanes)), []).append(item)
        for lane, items in shares.items():
            self._lanes[lane].put(items)

    def _take(self, message: Message) -> Item | None:
        """The record as a lane takes it; None where there is nothing to do for the lanes."""
        error = message.error()
        topic, number, offset = message.topic(), message.partition(), message.offset()
        partition = self._partitions.get((topic or "", number if number is not None else -1))
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                if partition is not None and offset is not None:
                    partition.reached_end(offset)
            else:
                _raise_if_lasting(error)
            return None
        if partition is None or topic is None or number is None or offset is None:
            return None  # Revoked while it was in the client's buffer: the new owner reads it.
        if partition.passed(offset):
            partition = self._start_over(partition, offset)
        origin = self._topics[topic]
        record = Record.read(
            topic,
            number,
            offset,
            key=as_bytes(message.key()),
            value=as_bytes(message.value()),
            headers=headers_of(message),
        )
        replay = origin != topic
        if replay:
            record = record.as_replay(origin)
        if not self._majors.takes(record, partition.copied, replay=replay):
            partition.pass_over(offset)
            return None
        partition.begin(offset)
        return Item(record, partition, offset, replay)

    def _start_over(self, partition: Partition, offset: int) -> Partition:
        """The log goes on at a place that was passed: the topic was made anew, or its end was lost.

        Whatever was read of the former log is no longer committed: that would be beyond records of
        this one that nobody has read. What comes again is found settled.
        """
        log.warning("%s[%d] goes back to offset %d", partition.topic, partition.number, offset)
        anew = Partition(partition.topic, partition.number)
        self._partitions[(partition.topic, partition.number)] = anew
        return anew

    def _hold_still(self) -> None:
        """The lanes are full: reads nothing, yet stays in the group, until there is room."""
        assigned = self._consumer.assignment()
        self._consumer.pause(assigned)
        log.debug("paused %d partitions, the lanes are full", len(assigned))
        while not self._stopping() and not self._in_flight.wait_for_room(PATIENCE_S):
            message = self._consumer.poll(POLL_S)
            if message is not None:
                self._hand_out([message])
        # Also what was revoked meanwhile: it would still be paused when it comes back.
        self._consumer.resume(assigned)

    def _commit(self, *, asynchronous: bool) -> None:
        offsets = [
            TopicPartition(topic, number, offset)
            for (topic, number), partition in self._partitions.items()
            if (offset := partition.take_committable(again=not asynchronous)) is not None
        ]
        if not offsets:
            return
        try:
            if asynchronous:
                self._consumer.commit(offsets=offsets, asynchronous=True)
            else:
                self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            # The records come again, to this member or another, and are found settled.
            log.info("offsets were not committed: %s", reason(error))

    def _on_assign(self, _: Consumer, assigned: list[TopicPartition]) -> None:
        self._assigned_once = True
        for p in assigned:
            self._partitions[(p.topic, p.partition)] = Partition(p.topic, p.partition)
        log.info("assigned %s", _named(assigned))

    def _on_revoke(self, _: Consumer, revoked: list[TopicPartition]) -> None:
        log.info("revoked %s", _named(revoked))
        leaving = [self._partitions[key] for p in revoked if (key := (p.topic, p.partition))
                   in self._partitions]  # fmt: skip
        for partition in leaving:
            partition.revoke()
        deadline = time.monotonic() + self._revoke_patience_s
        for partition in leaving:
            partition.wait_for_running(max(0.0, deadline - time.monotonic()))
        self._commit(asynchronous=False)
        self._forget(revoked)

    def _on_lost(self, _: Consumer, lost: list[TopicPartition]) -> None:
        log.warning("lost %s, another member may have them", _named(lost))
        for p in lost:
            if partition := self._partitions.get((p.topic, p.partition)):
                partition.revoke()
        self._forget(lost)

    def _forget(self, partitions: list[TopicPartition]) -> None:
        for p in partitions:
            self._partitions.pop((p.topic, p.partition), None)


def _lane_of(record: Record, lanes: int) -> int:
    """The same lane for the same topic and key, so that a key's events stay in order."""
    return zlib.crc32(record.key, zlib.crc32(record.topic.encode())) % lanes


def _named(partitions: list[TopicPartition]) -> str:
    return ", ".join(f"{p.topic}[{p.partition}]" for p in partitions) or "nothing"


def _raise_if_lasting(error: KafkaError) -> None:
    """Errors that the client recovers from by itself are only logged."""
    if error.code() in {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    }:
        raise ConfigurationInvalid(f"Kafka refuses: {error.str()}. Grant the right and start again")
    if error.fatal():
        raise RelayError(f"the consumer can't go on: {error.str()}. Start it again")
    log.warning("Kafka: %s", error.str())
