"""From where to where a topic can be read: what retention left, and what is committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from relay.errors import BrokerUnavailable
from relay.kafka import topics

__all__ = ["Bounds", "Partition", "read_bounds"]

# topic, partition
Partition: TypeAlias = tuple[str, int]

_TIMEOUT = 15


@dataclass(frozen=True, slots=True)
class Bounds:
    """low: first offset that retention has left. end: one behind the last that counts."""

    low: int
    end: int


def read_bounds(
    admin: AdminClient, names: Iterable[str], *, undecided: bool = False
) -> dict[Partition, Bounds]:
    """Bounds of all partitions of those topics of `names` that exist.

    The end is the last stable offset: nothing below it can still be aborted (KIP-98). With
    `undecided` it is the high watermark: what is committed behind somebody else's open transaction
    lies between the two. Raises BrokerUnavailable.
    """
    isolation = IsolationLevel.READ_UNCOMMITTED if undecided else IsolationLevel.READ_COMMITTED
    cluster = topics.describe(admin)
    places = [
        (name, partition)
        for name in names
        if name in cluster.topics
        for partition in range(cluster.topics[name])
    ]
    spec: Any = OffsetSpec  # without types in its package
    # The low ends first: retention may move them up, and none must lie above its end.
    lows = _ask(admin, places, spec.earliest(), isolation)
    ends = _ask(admin, places, spec.latest(), isolation)
    return {place: Bounds(lows[place], max(lows[place], ends[place])) for place in places}


def _ask(
    admin: AdminClient, places: Iterable[Partition], spec: Any, isolation: IsolationLevel
) -> Mapping[Partition, int]:
    wanted = {TopicPartition(*place): spec for place in places}
    if not wanted:
        return {}
    try:
        answers = admin.list_offsets(wanted, isolation_level=isolation, request_timeout=_TIMEOUT)
        return {
            (place.topic, place.partition): answer.result().offset
            for place, answer in answers.items()
        }
    except KafkaException as error:
        raise BrokerUnavailable(
            f"the ends of the topics can't be read: {error.args[0].str()}. Check that Kafka runs."
        ) from error
