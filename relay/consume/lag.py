"""How far a member of a group is behind, as metrics report it."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import Consumer, TopicPartition

from relay.consume.partition import AssignedPartition
from relay.kafka.offsets import Partition
from relay.observe import Events, GroupLag

__all__ = ["report_lag"]


def report_lag(
    consumer: Consumer,
    group: str,
    partitions: Mapping[Partition, AssignedPartition],
    events: Events,
) -> None:
    """Emits the lag of each partition, by the ends of the last fetch: nothing is requested."""
    for (topic, number), partition in partitions.items():
        _, end = consumer.get_watermark_offsets(TopicPartition(topic, number), cached=True)
        start = partition.unsettled_from
        if end >= 0 and start is not None:
            events.emit(GroupLag(group, topic, number, max(0, end - start)))
