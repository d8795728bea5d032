"""A range of partitions is read to its end, and no further."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

from relay.kafka.clients import reader
from relay.kafka.offsets import Bounds, are_ends, read_bounds, stable_bounds
from relay.kafka.ranges import read_ranges
from relay.kafka.topics import create, open_admin
from relay.settings import Settings, load_settings
from tests.stack import until

PARTITIONS = 2


@pytest.fixture
def settings(bootstrap_servers: str, unique_name: str) -> Settings:
    settings = load_settings(
        database_url="postgresql://unused",
        kafka_bootstrap_servers=bootstrap_servers,
        name=unique_name,
    )
    create(open_admin(settings), {unique_name: PARTITIONS})
    return settings


@pytest.fixture
def consumer(settings: Settings) -> Iterator[Consumer]:
    consumer = reader(settings)
    yield consumer
    consumer.close()


class Transaction:
    """An open transaction with some records in every partition."""

    def __init__(self, settings: Settings, name: str, values: list[bytes]) -> None:
        self.producer = Producer(
            {"bootstrap.servers": settings.kafka_bootstrap_servers, "transactional.id": name}
        )
        self.producer.init_transactions(30)
        self.producer.begin_transaction()
        for partition in range(PARTITIONS):
            for value in values:
                self.producer.produce(settings.name, value, partition=partition)
        assert self.producer.flush(30) == 0

    def commit(self) -> None:
        self.producer.commit_transaction(30)


def read(consumer: Consumer, ranges: dict[tuple[str, int], Bounds], **options: Any) -> Any:
    found: dict[tuple[str, int], list[bytes]] = {place: [] for place in ranges}
    for messages in read_ranges(consumer, ranges, **options):
        for message in messages:
            found[message.topic() or "", message.partition() or 0].append(message.value() or b"")
    return list(found.values())


def await_end(settings: Settings, end: int) -> dict[tuple[str, int], Bounds]:
    """Bounds once all partitions end at `end`: the marker of a commit comes after its answer."""
    admin = open_admin(settings)
    wanted = {(settings.name, partition): Bounds(0, end) for partition in range(PARTITIONS)}
    until(lambda: read_bounds(admin, [settings.name, "no-such-topic"]) == wanted)
    return wanted


def test_all_partitions_are_read_to_the_end_that_was_given(
    settings: Settings, consumer: Consumer
) -> None:
    Transaction(settings, f"{settings.name}-1", [b"a", b"b"]).commit()
    bounds = await_end(settings, 3)
    Transaction(settings, f"{settings.name}-2", [b"c"]).commit()

    assert read(consumer, bounds) == [[b"a", b"b"]] * PARTITIONS
    later = {place: Bounds(1, bound.end) for place, bound in bounds.items()}
    assert read(consumer, later) == [[b"b"]] * PARTITIONS
    nothing = {place: Bounds(bound.end, bound.end) for place, bound in bounds.items()}
    assert read(consumer, nothing) == [[]] * PARTITIONS


def test_what_an_open_transaction_hides_is_beyond_the_stable_end(
    settings: Settings, consumer: Consumer
) -> None:
    # Given a committed record, an open transaction, and another record that is committed after it
    admin = open_admin(settings)
    Transaction(settings, f"{settings.name}-1", [b"a"]).commit()
    await_end(settings, 2)
    open_ = Transaction(settings, f"{settings.name}-2", [b"b"])
    Transaction(settings, f"{settings.name}-3", [b"c"]).commit()

    # Then the topic ends at the first record of the open one, whichever way the end is found
    stable = read_bounds(admin, [settings.name])
    assert stable == {place: stable_bounds(consumer, place) for place in stable}
    assert read(consumer, stable) == [[b"a"]] * PARTITIONS
    # And up to the high watermark once that has ended
    everything = read_bounds(admin, [settings.name], undecided=True)
    assert all(everything[place].end > stable[place].end for place in stable)
    assert not are_ends(admin, {place: bound.end for place, bound in stable.items()})
    assert are_ends(admin, {place: bound.end for place, bound in everything.items()})
    batches = read_ranges(consumer, everything)
    next(batches)
    batches.close()
    open_.commit()
    assert read(consumer, everything) == [[b"a", b"b", b"c"]] * PARTITIONS
