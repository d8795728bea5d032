"""The source: reads a group's records from Kafka, gives them to lanes, commits settled offsets."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from relay.consume.assigned import Assigned
from relay.consume.failures import ServerChanged, SubscriptionsChanged
from relay.consume.group import Group
from relay.consume.intake import Intake
from relay.consume.lag import report_lag
from relay.consume.lane import Lanes
from relay.consume.majors import Majors
from relay.consume.partition import AssignedPartition, Item
from relay.consume.progress import GroupProgress
from relay.consume.session import Session, Stopped
from relay.consume.signals import Signals
from relay.consume.subscriptions import Subscriptions
from relay.errors import RelayError
from relay.kafka.bounds import check_timeouts
from relay.kafka.client_log import BrokerWatch
from relay.kafka.clients import group_consumer, leave
from relay.kafka.errors import reason, refusal
from relay.kafka.offsets import Partition, are_ends
from relay.kafka.topics import describe, open_admin, require_topics
from relay.outages import Outages
from relay.schema.catalog import Catalog
from relay.settings import Settings
from relay.unavailable import is_kafka_refusal

__all__ = ["Source"]

log = logging.getLogger(__name__)

FETCH: Final = 500
POLL_S: Final = 0.1
COMMIT_EVERY_S: Final = 0.5
ROOM_PATIENCE_S: Final = 0.5
REPORT_LAG_EVERY_S: Final = 5.0


class Source:
    """Runs in one thread, which owns the consumer; Kafka's callbacks come in that thread.

    It reads the domains' topics and the group's own retry topics.
    """

    def __init__(
        self,
        settings: Settings,
        group: Group,
        catalog: Catalog,
        majors: Majors,
        lanes: Lanes,
        session: Session,
        signals: Signals,
        outages: Outages,
    ) -> None:
        """majors: which records the group takes. session: of the thread that this runs in. Raises
        SchemaUnknown."""
        topics = group.topics(catalog)
        retry_topics = {catalog.retry_topic(topic, group.name): topic for topic in topics}
        # Topic that is read -> the domain's topic.
        self._topics = {topic: topic for topic in topics} | retry_topics
        self._dlq_topics = [catalog.dlq_topic(topic, group.name) for topic in topics]
        self._settings = settings
        self._group = group.name
        self._intake = Intake(self._topics, majors, group.subscriptions)
        self._lanes = lanes
        self._signals = signals
        self._revoke_patience_s = settings.session_timeout_ms / 2000
        # A connection of its own: requests of the consumer's wait for its long polls.
        self._admin = open_admin(settings)
        self._watch = BrokerWatch(outages.kafka, "consumer")
        self._consumer = group_consumer(settings, group.name, self._watch, self._on_commit)
        self._assigned = Assigned(group.name, session)
        # As many records as the process before may have been handling when it died.
        self._careful = group.lanes * group.batch
        self._subscriptions = Subscriptions(group.name, group.subscriptions, session)
        self._subscriptions_changed = False
        self._orderly = True
        self._progress = GroupProgress(
            group.name, self._consumer, self._admin, session, outages, signals.stop
        )
        self._partitions: dict[Partition, AssignedPartition] = {}
        self._assigned_once = False
        self._next_commit = 0.0
        self._next_lag = 0.0

    def subscribe(self) -> None:
        """Joins the group.

        Raises ConfigurationInvalid for missing topics, the dead-letter topics among them, and for a
        timeout that the brokers refuse; BrokerUnavailable, BrokerRefused.
        """
        cluster = describe(self._admin)
        require_topics(cluster, [*self._topics, *self._dlq_topics])
        check_timeouts(self._admin, cluster, self._settings, transactions=False)
        # Before it has partitions: the others do not pass over what it handles then.
        self._subscriptions.assert_if_due()
        self._consumer.subscribe(
            list(self._topics),
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    def step(self) -> None:
        """Reads at most some hundred records, and commits offsets when it is time."""
        if self._lanes.in_flight.full and not self._lanes.in_flight.wait_for_room(ROOM_PATIENCE_S):
            self._pause_until_there_is_room()
        message = self._consumer.poll(POLL_S)
        if message is not None:
            self._hand_out([message, *self._consumer.consume(FETCH, 0)])
        if self._signals.server_changed.is_set() or self._subscriptions_changed:
            self._read_again()
        self._subscriptions.assert_if_due()
        if time.monotonic() >= self._next_commit:
            self._commit(asynchronous=True)
            self._next_commit = time.monotonic() + COMMIT_EVERY_S
        if time.monotonic() >= self._next_lag:
            report_lag(self._consumer, self._group, self._partitions, self._signals.events)
            self._next_lag = time.monotonic() + REPORT_LAG_EVERY_S

    def at_end(self) -> bool:
        """Whether every assigned partition is read to its end and the lanes are empty.

        The end is requested from the broker; records of open transactions count as unread.
        """
        if not self._assigned_once or self._lanes.in_flight.records:
            return False
        read = {place: partition.end for place, partition in self._partitions.items()}
        known = {place: end for place, end in read.items() if end is not None}
        return len(known) == len(read) and are_ends(self._admin, known)

    def close(self, *, orderly: bool) -> None:
        """Commits settled offsets and leaves the group. The lanes must have ended before.

        orderly: otherwise the next process is careful with what this one has left.
        """
        self._orderly = orderly
        self._commit(asynchronous=False)
        if orderly:
            self._assigned.give_up(list(self._partitions))
        leave(self._consumer)
        self._watch.forget()

    def _hand_out(self, messages: Iterable[Message]) -> None:
        self._lanes.put([item for message in messages if (item := self._take(message))])

    def _take(self, message: Message) -> Item | None:
        """The record as a lane takes it; None where there is nothing to do."""
        error = message.error()
        topic, number, offset = message.topic(), message.partition(), message.offset()
        partition = self._partitions.get((topic or "", number if number is not None else -1))
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                if partition is not None and offset is not None:
                    partition.reached_end(offset)
            else:
                _raise_if_permanent(error)
            return None
        if partition is None or topic is None or number is None or offset is None:
            return None  # Revoked while it was in the client's buffer: the new owner reads it.
        if partition.passed(offset):
            partition = self._start_over(partition, offset)
        return self._intake.item(message, partition, self._progress.subscribed)

    def _start_over(self, partition: AssignedPartition, offset: int) -> AssignedPartition:
        """The log continues at an offset that was read: the topic was recreated, or lost its end.

        Offsets of the former log are no longer committed: they would skip unread records of this
        one. Records that come again are found settled.
        """
        log.warning("%s[%d] goes back to offset %d", partition.topic, partition.number, offset)
        self._progress.forget_topics()
        fresh = AssignedPartition(
            partition.topic, partition.number, partition.server, former=partition
        )
        self._partitions[(partition.topic, partition.number)] = fresh
        return fresh

    def _pause_until_there_is_room(self) -> None:
        """The lanes are full: stays in the group and reads nothing until there is room."""
        assigned = self._consumer.assignment()
        self._consumer.pause(assigned)
        log.debug("paused %d partitions, the lanes are full", len(assigned))
        # Lanes that wait for another server to be noticed make no room either.
        while (
            not self._signals.stopping
            and not self._signals.server_changed.is_set()
            and not self._lanes.in_flight.wait_for_room(ROOM_PATIENCE_S)
        ):
            message = self._consumer.poll(POLL_S)
            if message is not None:
                self._hand_out([message])
        # Also partitions that were revoked meanwhile: they would come back paused.
        self._consumer.resume(assigned)

    def _commit(self, *, asynchronous: bool) -> None:
        offsets = [
            TopicPartition(topic, number, offset)
            for (topic, number), partition in self._partitions.items()
            if (offset := partition.take_committable(again=not asynchronous)) is not None
        ]
        # First where the effects are, then in Kafka: an offset in Kafka has its effects before it.
        written = self._write_positions(offsets)
        if not offsets:
            return
        if not written:
            self._not_committed(offsets, "the database has not taken the positions")
            return
        try:
            if asynchronous:
                self._consumer.commit(offsets=offsets, asynchronous=True)
            else:
                self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            # The records are read again, by this member or another, and found settled.
            self._not_committed(offsets, reason(error))

    def _write_positions(self, offsets: list[TopicPartition]) -> bool:
        try:
            return self._progress.write(
                {(place.topic, place.partition): place.offset for place in offsets},
                {partition.server for partition in self._partitions.values()},
            )
        except ServerChanged:
            self._signals.server_changed.set()
        except SubscriptionsChanged:
            self._subscriptions_changed = True
        return False

    def _on_commit(self, error: KafkaError | None, offsets: list[TopicPartition]) -> None:
        """The answer to an asynchronous commit; without looking at it, a commit that was refused
        would not be repeated while its partition is quiet, and the group seem to be behind."""
        if refused := [place for place in offsets if error is not None or place.error is not None]:
            self._not_committed(refused, str(error or refused[0].error))

    def _not_committed(self, offsets: list[TopicPartition], why: str) -> None:
        log.info("offsets were not committed: %s", why)
        for place in offsets:
            if (partition := self._partitions.get((place.topic, place.partition))) is not None:
                partition.not_committed()

    def _on_assign(self, _: Consumer, assigned: list[TopicPartition]) -> None:
        self._assigned_once = True
        log.info("assigned %s", _names(assigned))
        places = [(p.topic, p.partition) for p in assigned]
        self._begin(places, self._progress.assign(places))

    def _read_again(self) -> None:
        """Goes back to what the database knows. What it has is found settled."""
        server_changed = self._signals.server_changed.is_set()
        self._signals.server_changed.clear()
        self._subscriptions_changed = False
        places = list(self._partitions)
        for partition in self._partitions.values():
            partition.revoke()
        self._partitions.clear()
        self._begin(places, self._progress.assign_again(places, server_changed=server_changed))

    def _begin(self, places: Collection[Partition], server: str | None) -> None:
        if server is None or not places:
            return
        try:
            left = self._assigned.take(places)
        except Stopped:
            return
        if left:
            log.warning(
                "the process that had %s has not given it up: the next events are handled one by "
                "one", _names([TopicPartition(*place) for place in sorted(left)]),
            )  # fmt: skip
        self._partitions |= {
            place: AssignedPartition(*place, server, self._careful if place in left else 0)
            for place in places
        }

    def _on_revoke(self, _: Consumer, revoked: list[TopicPartition]) -> None:
        log.info("revoked %s", _names(revoked))
        leaving = [self._partitions[key] for p in revoked if (key := (p.topic, p.partition))
                   in self._partitions]  # fmt: skip
        for partition in leaving:
            partition.revoke()
        deadline = time.monotonic() + self._revoke_patience_s
        ended = [
            (partition.topic, partition.number)
            for partition in leaving
            if partition.wait_for_running(max(0.0, deadline - time.monotonic()))
        ]
        self._commit(asynchronous=False)
        if self._orderly:
            self._assigned.give_up(ended)
        self._forget(revoked)

    def _on_lost(self, _: Consumer, lost: list[TopicPartition]) -> None:
        log.warning("lost %s, another member may have them", _names(lost))
        for p in lost:
            if partition := self._partitions.get((p.topic, p.partition)):
                partition.revoke()
        self._forget(lost)

    def _forget(self, partitions: list[TopicPartition]) -> None:
        for p in partitions:
            self._partitions.pop((p.topic, p.partition), None)


def _names(partitions: list[TopicPartition]) -> str:
    return ", ".join(f"{p.topic}[{p.partition}]" for p in partitions) or "nothing"


def _raise_if_permanent(error: KafkaError) -> None:
    """Only logs errors that the client recovers from by itself."""
    if is_kafka_refusal(error):
        raise refusal(error)
    if error.fatal():
        raise RelayError(f"the consumer can't go on: {error.str()}. Start it again")
    log.warning("Kafka: %s", error.str())
