"""A lane that has to drop records drops those of the partition that was revoked, and no others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from relay.consume.attempt import Attempts
from relay.consume.deaths import Deaths
from relay.consume.decode import Decoder
from relay.consume.failed import FailedEvents
from relay.consume.in_flight import InFlight
from relay.consume.lane import Lane
from relay.consume.majors import Majors
from relay.consume.partition import AssignedPartition, Item
from relay.consume.record import Record
from relay.consume.retry import RetryPolicy
from relay.consume.session import Session
from relay.consume.signals import Signals
from relay.consume.time_limit import Handlings
from relay.errors import RegistryUnavailable
from relay.observe import Events
from relay.outages import Outages
from tests.integration.consuming import Counted, OneSchema, World, act, server_of
from tests.stack import until


class FirstUnavailable(OneSchema):
    """A registry that is unavailable at the first request."""

    def __init__(self, first: Callable[[], None]) -> None:
        self._first = first
        self._requested = False

    def schema(self, schema_id: int) -> dict[str, Any]:
        if not self._requested:
            self._requested = True
            self._first()
            raise RegistryUnavailable("the registry is unavailable")
        return super().schema(schema_id)


def read(world: World, partition: AssignedPartition, offset: int, key: str, number: int) -> Item:
    """A record of a partition as the source gives it to a lane."""
    headers = (("ce_id", f"{key}{number}".encode()), ("ce_type", b"counted"))
    record = Record.read(
        world.topic,
        partition.number,
        offset,
        key=key.encode(),
        value=world.value(number),
        headers=headers,
    )
    partition.begin(offset)
    return Item(record, partition, offset, replay=False)


@pytest.mark.parametrize("cause", ["a failed handler", "an outage"])
def test_a_revoked_partitions_records_are_dropped_and_those_of_others_acted_on(
    world: World, cause: str
) -> None:
    # Given records of two partitions in one transaction, which does not get through
    with world.connect() as connection:
        server = server_of(connection)
    leaving, staying = (AssignedPartition(world.topic, number, server) for number in (0, 1))
    items = [
        read(world, leaving, 10, "a", 1),
        read(world, staying, 20, "b", 1),
        read(world, leaving, 11, "a", 2),
        read(world, staying, 21, "b", 2),
    ]
    group = world.new_group()

    @group.handles(Counted)
    def fail_where_it_leaves(event: Counted, context: Any) -> None:
        act(event, context)
        # When one of the partitions goes to another member meanwhile
        if event.aggregate_id == "a":
            leaving.revoke()
            raise RuntimeError("not yet")

    schemas = FirstUnavailable(leaving.revoke) if cause == "an outage" else OneSchema()
    signals, in_flight = Signals(group.name, threading.Event(), Events()), InFlight()
    lane = Lane(
        "lane under test",
        Session(
            world.database_url, "lane", signals.ending, Outages(Events()), idle_timeout_ms=10_000
        ),
        Attempts(group, Decoder(schemas, Majors({"counted"}, {})), 10_000, Handlings(60)),
        FailedEvents(group.name, RetryPolicy.of(world.settings()), signals),
        Deaths(group.name, 3),
        in_flight,
        signals,
    )
    lane.put(items)
    lane.start()
    try:
        until(lambda: in_flight.records == 0 or signals.crash)
    finally:
        signals.end()
        lane.wake()
        lane.join(20)
    assert signals.crash is None
    # Then only that one is left as it was, for that member
    assert (world.numbers("a"), world.numbers("b")) == ([], [1, 2])
    assert leaving.take_committable(again=True) == 10
    assert staying.take_committable(again=True) == 22
