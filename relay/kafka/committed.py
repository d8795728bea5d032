"""Offsets that consumer groups have committed, as the broker has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from relay.errors import BrokerUnavailable
from relay.kafka import topics
from relay.kafka.bounds import Partition
from relay.settings import Settings

__all__ = ["committed_at", "committed_offsets"]

_TIMEOUT = 10
_METADATA_TIMEOUT = 5.0


def committed_at(settings: Settings, groups: Iterable[str], place: Partition) -> dict[str, int]:
    """Group -> the next offset it would read in one partition; groups without any left out.

    Raises BrokerUnavailable, soon where no broker answers.
    """
    admin = topics.open_admin(settings)
    topics.describe(admin, _METADATA_TIMEOUT)
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
            request_timeout=_TIMEOUT,
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
                f"the offsets of group {group} can't be read: {error.args[0].str()}. "
                "Check that Kafka runs and that the relay may describe groups."
            ) from error
        found[group] = {
            (place.topic, place.partition): place.offset for place in places if place.offset >= 0
        }
    return found
