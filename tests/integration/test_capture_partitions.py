"""The relay's own partitions are those of every other client."""

from __future__ import annotations

import random

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from relay.kafka.partitioner import partition_of


def test_librdkafkas_murmur2_partitioner_puts_keys_where_the_relay_puts_them(
    bootstrap_servers: str, unique_name: str
) -> None:
    # Given a topic and keys of any length
    partitions = 11
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    admin.create_topics([NewTopic(unique_name, partitions)])[unique_name].result()
    chance = random.Random(1)
    keys = [chance.randbytes(length % 40 + 1) for length in range(2000)]
    # When a producer with Java's partitioner sends them
    producer = Producer({"bootstrap.servers": bootstrap_servers, "partitioner": "murmur2_random"})
    found: dict[bytes, int] = {}

    def delivered(error: object, message: object) -> None:
        assert error is None, error
        found[message.key()] = message.partition()  # type: ignore[attr-defined]

    for key in keys:
        producer.produce(unique_name, b"", key, on_delivery=delivered)
    assert producer.flush(30) == 0
    # Then each lies where the relay would have put it
    assert found == {key: partition_of(key, partitions) for key in keys}
    assert set(found.values()) == set(range(partitions))
