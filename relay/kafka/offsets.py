"""Reads offsets: where partitions begin and end, and what consumer groups have committed."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from relay.errors import BrokerUnavailable
from relay.kafka import topics
from relay.kafka.clients import open_consumer
from relay.kafka.errors import broker_call
from relay.kafka.options import consumer_options
from relay.settings import Settings

__all__ = [
    "Bounds",
    "LeaderEnd",
    "Partition",
    "are_ends",
    "committed_at",
    "committed_by",
    "committed_offsets",
    "read_bounds",
    "read_ends",
    "read_leader_ends",
    "stable_bounds",
]

log = logging.getLogger(__name__)

# topic, partition
Partition: TypeAlias = tuple[str, int]

_TIMEOUT_S: Final = 10
_METADATA_TIMEOUT_S: Final = 5.0
_ENDS_UNREADABLE: Final = "the topics' ends can't be read"
_CONNECTIONS: Final = 8
_STALE_METADATA: Final = frozenset(
    {"FENCED_LEADER_EPOCH", "UNKNOWN_LEADER_EPOCH", "NOT_LEADER_FOR_PARTITION"}
)
_NO_COORDINATOR: Final = frozenset(
    {"COORDINATOR_LOAD_IN_PROGRESS", "COORDINATOR_NOT_AVAILABLE", "NOT_COORDINATOR"}
)
_PAUSE_S: Final = 0.1
_specs: Any = OffsetSpec  # without types in its package


@dataclass(frozen=True, slots=True)
class Bounds:
    """low: first offset to read. end: one past the last."""

    low: int
    end: int


class LeaderEnd(NamedTuple):
    """The end of a partition. epoch: grows whenever the partition gets a leader, or the same one
    again; -1 where the broker does not tell."""

    offset: int
    epoch: int


def read_bounds(
    admin: AdminClient, names: Iterable[str], *, undecided: bool = False
) -> dict[Partition, Bounds]:
    """Returns the bounds of all partitions of the existing topics in `names`.

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
    return {
        place: Bounds(lows[place].offset, max(lows[place].offset, ends[place])) for place in places
    }


def read_ends(
    admin: AdminClient, places: Iterable[Partition], *, undecided: bool = False
) -> dict[Partition, int]:
    """Returns the current ends of partitions. Raises BrokerUnavailable.

    The end is the last stable offset: nothing below it can still be aborted (KIP-98). With
    `undecided` it is the high watermark: what is committed after an open transaction of another
    producer lies between the two.
    """
    found = read_leader_ends(admin, places, undecided=undecided)
    return {place: end.offset for place, end in found.items()}


def read_leader_ends(
    admin: AdminClient, places: Iterable[Partition], *, undecided: bool = False
) -> dict[Partition, LeaderEnd]:
    """As `read_ends`, with the epochs of the partitions' leaders."""
    return _list(admin, places, _specs.latest(), undecided=undecided)


def are_ends(admin: AdminClient, read: Mapping[Partition, int]) -> bool:
    """Checks whether the offsets to read next are the current ends of their partitions.

    Open transactions count as not read. False also if the broker does not answer.
    """
    try:
        ends = read_ends(admin, read, undecided=True)
    except BrokerUnavailable as error:
        log.info("the topics' ends are not known, they are requested again: %s", error)
        return False
    return all(end <= read[place] for place, end in ends.items())


def stable_bounds(consumer: Consumer, place: Partition) -> Bounds:
    """Returns the bounds of one partition, up to its last stable offset.

    consumer: with isolation.level=read_committed. Raises BrokerUnavailable.
    """
    with broker_call(_ENDS_UNREADABLE):
        return Bounds(*consumer.get_watermark_offsets(TopicPartition(*place), timeout=_TIMEOUT_S))


def committed_at(settings: Settings, groups: Iterable[str], place: Partition) -> dict[str, int]:
    """Returns group -> next offset to read in one partition, without groups that committed none.

    Raises BrokerUnavailable, after a short timeout if no broker answers.
    """
    topics.describe(topics.open_admin(settings), _METADATA_TIMEOUT_S)
    found = committed_offsets(settings, {group: [place] for group in groups})
    return {group: places[place] for group, places in found.items() if place in places}


def committed_offsets(
    settings: Settings, wanted: Mapping[str, Collection[Partition]]
) -> dict[str, dict[Partition, int]]:
    """Returns group -> partition -> next offset to read, where the group has committed one.

    wanted: partitions by group. Raises BrokerUnavailable.
    """
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        found = pool.map(lambda each: _committed(settings, *each), wanted.items())
        return dict(zip(wanted, found, strict=True))


def _committed(
    settings: Settings, group: str, places: Collection[Partition]
) -> dict[Partition, int]:
    """Asks as the group itself, without joining it.

    librdkafka 2.16.0 crashes where an admin client asks for a group's offsets while the group's
    coordinator is starting or moving (H73): its answer is handled as that of a member.
    """
    if not places:
        return {}
    consumer = open_consumer(consumer_options(settings, group))
    try:
        return committed_by(consumer, places)
    finally:
        consumer.close()


def committed_by(consumer: Consumer, places: Collection[Partition]) -> dict[Partition, int]:
    """Returns the next offset to read that the consumer's group has committed, where it has one.

    Raises BrokerUnavailable.
    """
    with broker_call("the group's offsets can't be read"):
        found = _ask_coordinator(consumer, [TopicPartition(*place) for place in places])
    return {(place.topic, place.partition): place.offset for place in found if place.offset >= 0}


def _ask_coordinator(consumer: Consumer, places: list[TopicPartition]) -> list[TopicPartition]:
    """The group's committed offsets, asked for again while its coordinator is starting."""
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            found = consumer.committed(places, _TIMEOUT_S)
            for place in found:
                if place.error is not None:
                    raise KafkaException(place.error)
            return found
        except KafkaException as error:
            if error.args[0].name() not in _NO_COORDINATOR or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_S)


def _list(
    admin: AdminClient, places: Iterable[Partition], spec: Any, *, undecided: bool
) -> dict[Partition, LeaderEnd]:
    wanted = {TopicPartition(*place): spec for place in places}
    if not wanted:
        return {}
    isolation = IsolationLevel.READ_UNCOMMITTED if undecided else IsolationLevel.READ_COMMITTED
    with broker_call(_ENDS_UNREADABLE):
        try:
            return _ask(admin, wanted, isolation)
        except KafkaException as error:
            if error.args[0].name() not in _STALE_METADATA:
                raise
    # Partitions have another leader, or the same one again, since the client has looked. It does
    # not look again by itself for minutes (H72).
    topics.describe(admin)
    with broker_call(_ENDS_UNREADABLE):
        return _ask(admin, wanted, isolation)


def _ask(
    admin: AdminClient, wanted: dict[TopicPartition, Any], isolation: IsolationLevel
) -> dict[Partition, LeaderEnd]:
    futures = admin.list_offsets(wanted, isolation_level=isolation, request_timeout=_TIMEOUT_S)
    ends = {}
    for place, future in futures.items():
        found = future.result()
        epoch = -1 if found.leader_epoch is None else found.leader_epoch
        ends[place.topic, place.partition] = LeaderEnd(found.offset, epoch)
    return ends
