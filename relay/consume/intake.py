"""Which of Kafka's records a lane gets, as items."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from confluent_kafka import Message

from relay.consume.majors import Majors
from relay.consume.partition import AssignedPartition, Item
from relay.consume.record import Record
from relay.kafka import headers as names
from relay.kafka.headers import as_bytes, headers_of

__all__ = ["Intake"]


class Intake:
    """Of one group. topics: that are read, each with the domain's topic that it belongs to.
    majors: which records the group takes. handled: event types of this member's handlers."""

    def __init__(self, topics: Mapping[str, str], majors: Majors, handled: Collection[str]) -> None:
        self._topics = topics
        self._majors = majors
        self._handled = frozenset(handled)

    def item(
        self, message: Message, partition: AssignedPartition, subscribed: Collection[str]
    ) -> Item | None:
        """Returns the record for a lane, marked as begun in its partition, or None to skip it.

        subscribed: event types that some member of the group handles.
        """
        topic, number, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None
        assert number is not None
        assert offset is not None
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
        if not (
            self._majors.takes(record, partition.copied, replay=replay)
            or self._is_anothers(record, subscribed)
        ):
            partition.pass_over(offset)
            return None
        partition.begin(offset)
        return Item(record, partition, offset, replay)

    def _is_anothers(self, record: Record, subscribed: Collection[str]) -> bool:
        """Whether only other members have a handler for an event, which is parked for them then.

        Of an event that is published under several versions this member may handle another one.
        """
        return (
            record.event_type in subscribed
            and record.event_type not in self._handled
            and record.header(names.ORIGINAL_TYPE) is None
            and record.header(names.COPIES) is None
        )
