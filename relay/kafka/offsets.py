"""Offsets of partitions: where they begin and end, and what consumer groups have committed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from relay.errors import BrokerUnavailable
from relay.kafka import topics
from relay.kafka.errors import reason

__all__ = [
    "Bounds",
    "Partition",
    "are_ends",
    "committed_at",
    "committed_offsets",
    "read_bounds",
    "read_ends",
    "stable_bounds",
]

log = logging.getLogger(__name__)

# topic, partition
Partition: TypeAlias = tuple[str, int]

_TIMEOUT_S: Final = 10
_METADATA_TIMEOUT_S: Final = 5.0
_specs: Any = OffsetSpec  # without types in its package


@dataclass(frozen=True, slots=True)
class Bounds:
    """low: first offset to read. end: the one after the last."""

    low: int
    end: int


def read_bounds(
    admin: AdminClient, names: Iterable[str], *, undecided: bool = False
) -> dict[Partition, Bounds]:
    """Bounds of all partitions of those topics of `names` that exist: what retention has left.

    undecided: see `read_ends`. Raises BrokerUnavailable.
    """
    cluster = topics.describe(admin)
    places = [
        (name, partition)
        for name in names
        if name in cluster.topics
        for partition in range(cluster.topics[name])
    ]
    # The low ends first: retention may move them up, and none must be above its end.
    lows = _list(admin, places, _specs.earliest(), undecided=undecided)
    ends = read_ends(admin, places, undecided=undecided)
    return {place: Bounds(lows[place], max(lows[place], ends[place])) for place in places}


def read_ends(
    admin: AdminClient, places: Iterable[Partition], *, undecided: bool = False
) -> dict[Partition, int]:
    """Where partitions end now. Raises BrokerUnavailable.

    The end is the last stable offset: nothing below it can still be aborted (KIP-98). With
    `undecided` it is the high watermark: what is committed after an open transaction of another
    producer lies between the two.
    """
    return _list(admin, places, _specs.latest(), undecided=undecided)


def are_ends(admin: AdminClient, read: Mapping[Partition, int]) -> bool:
    """Whether the offsets in `read`, the next ones to read, are the ends of their partitions now,
    open transactions included. False also when the broker does not answer."""
    try:
        ends = read_ends(admin, read, undecided=True)
    except BrokerUnavailable as error:
        log.info("the topics' ends are not known, they are requested again: %s", error)
        return False
    return all(end <= read[place] for place, end in ends.items())


def stable_bounds(consumer: Consumer, place: Partition) -> Bounds:
    """Bounds of one partition, up to its last stable offset.

    consumer: with isolation.level=read_committed. Raises BrokerUnavailable.
    """
    try:
        return Bounds(*consumer.get_watermark_offsets(TopicPartition(*place), timeout=_TIMEOUT_S))
    except KafkaException as error:
        raise _unreadable(error) from error


def committed_at(admin: AdminClient, groups: Iterable[str], place: Partition) -> dict[str, int]:
    """Group -> the next offset it would read in one partition; groups without any left out.

    Raises BrokerUnavailable, soon where no broker answers.
    """
    topics.describe(admin, _METADATA_TIMEOUT_S)
    found = committed_offsets(admin, {group: [place] for group in groups})
    return {group: places[place] for group, places in found.items() if place in places}


def committed_offsets(
    admin: AdminClient, wanted: Mapping[str, Iterable[Partition]]
) -> dict[str, dict[Partition, int]]:
    """Group -> partition -> the next offset that the group would read.

    wanted: partitions by group. Those that a group has committed nothing for are left out.
    Raises BrokerUnavailable.
    """
    # One request a group: older brokers and librdkafka take no more in one.
    futures = {
        group: admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group, [TopicPartition(*place) for place in places])],
            request_timeout=_TIMEOUT_S,
        )[group]
        for group, places in ((group, list(places)) for group, places in wanted.items())
        if places
    }
    found: dict[str, dict[Partition, int]] = {group: {} for group in wanted}
    for group, future in futures.items():
        try:
            places = future.result().topic_partitions
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                continue
            raise BrokerUnavailable(
                f"the offsets of group {group} can't be read: {reason(error)}. "
                "Check that Kafka runs and that the relay may describe groups."
            ) from error
        found[group] = {
            (place.topic, place.partition): place.offset for place in places if place.offset >= 0
        }
    return found


def _list(
    admin: AdminClient, places: Iterable[Partition], spec: Any, *, undecided: bool
) -> dict[Partition, int]:
    wanted = {TopicPartition(*place): spec for place in places}
    if not wanted:
        return {}
    isolation = IsolationLevel.READ_UNCOMMITTED if undecided else IsolationLevel.READ_COMMITTED
    try:
        futures = admin.list_offsets(wanted, isolation_level=isolation, request_timeout=_TIMEOUT_S)
        return {
            (place.topic, place.partition): future.result().offset
            for place, future in futures.items()
        }
    except KafkaException as error:
        raise _unreadable(error) from error


def _unreadable(error: KafkaException) -> BrokerUnavailable:
    return BrokerUnavailable(
        f"the topics' ends can't be read: {reason(error)}. Check that Kafka runs."
    )
