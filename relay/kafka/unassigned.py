"""Finds partitions that a consumer group has given to no member, and gives them one (H75)."""

from __future__ import annotations

import logging
import struct
import threading
import time
from collections.abc import Collection
from typing import Any, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from relay.errors import RelayError
from relay.kafka.clients import leave, open_consumer
from relay.kafka.errors import reason
from relay.kafka.offsets import Partition
from relay.kafka.options import consumer_options
from relay.settings import Settings

__all__ = ["Unassigned", "assignment", "unassigned"]

log = logging.getLogger(__name__)

_EVERY_S: Final = 3.0
_TIMEOUT_S: Final = 5.0
# Longer than a rebalance takes whose members all answer.
_LONGEST_VISIT_S: Final = 10.0


class Unassigned:
    """Looks at the group of one of its members, in a thread of its own.

    A static member (KIP-345) that dies between giving up partitions and joining again, and comes
    back before its session times out, is given its last assignment without a rebalance. The
    partitions that it gave up were to be assigned in the rebalance that its joining would have
    begun (KIP-429): they stay without a member until somebody joins or leaves. So somebody does.
    """

    def __init__(
        self,
        settings: Settings,
        admin: AdminClient,
        group: str,
        instance: str,
        partitions: Collection[Partition],
    ) -> None:
        """instance: the member's group.instance.id. partitions: all that the group consumes."""
        self._settings = settings
        self._admin = admin
        self._group = group
        self._instance = instance
        self._partitions = frozenset(partitions)
        self._ending = threading.Event()
        # A daemon: a worker that ends does not wait for it.
        self._thread = threading.Thread(target=self._run, name="unassigned", daemon=True)

    def start(self) -> None:
        """Begins to look every few seconds. What stays without a member for two looks makes the
        group assign everything again. Where the group can't be described, it is asked again."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the looks; does not wait for one that goes on."""
        self._ending.set()

    def _run(self) -> None:
        seen: frozenset[Partition] = frozenset()
        while not self._ending.wait(_EVERY_S):
            found = self._look()
            if lasting := found & seen:
                self._assign_again(lasting)
                found = frozenset()
            seen = found

    def _look(self) -> frozenset[Partition]:
        # librdkafka 2.16.0 aborts the process where the newer describe_consumer_groups() times out
        # while it waits for the coordinator (H73). AdminClient's own list_groups() only adds a
        # warning that it is deprecated.
        try:
            described = super(AdminClient, self._admin).list_groups(self._group, timeout=_TIMEOUT_S)
        except KafkaException as error:
            log.debug("group %s can't be described: %s", self._group, reason(error))
            return frozenset()
        for group in described:
            if group.id == self._group:
                return unassigned(group, self._partitions, self._instance)
        return frozenset()

    def _assign_again(self, partitions: frozenset[Partition]) -> None:
        """A dynamic member joins and leaves: each of the two is a rebalance."""
        log.warning(
            "%s of group %s are assigned to no member, since one died in the middle of a rebalance "
            "or takes long to hand them over. The group is made to assign them",
            ", ".join(f"{topic}[{number}]" for topic, number in sorted(partitions)),
            self._group,
        )
        assigned = threading.Event()
        try:
            visitor = open_consumer(
                consumer_options(
                    self._settings,
                    self._group,
                    required={
                        "session.timeout.ms": self._settings.session_timeout_ms,
                        "auto.offset.reset": "latest",
                    },
                )
            )
            visitor.subscribe(
                sorted({topic for topic, _ in self._partitions}),
                on_assign=lambda *_: assigned.set(),
            )
            deadline = time.monotonic() + _LONGEST_VISIT_S
            while not assigned.is_set() and time.monotonic() < deadline:
                visitor.poll(0.1)
            leave(visitor)
        except (KafkaException, RelayError) as error:
            log.warning("group %s could not be made to assign again: %s", self._group, error)


def unassigned(
    group: Any, partitions: Collection[Partition], instance: str
) -> frozenset[Partition]:
    """Returns what no member has, if the member `instance` is the one that acts.

    group: confluent_kafka.admin's GroupMetadata. Nothing while the group rebalances: its members
    have no assignment then. One member acts, the first by its id, which begins with its instance
    id; should it be frozen, its session times out, and that is a rebalance too.
    """
    ids = [member.id for member in group.members]
    if group.state != "Stable" or not min(ids, default="").startswith(f"{instance}-"):
        return frozenset()
    assigned = {place for member in group.members for place in assignment(member.assignment or b"")}
    return frozenset(partitions) - assigned


def assignment(encoded: bytes) -> set[Partition]:
    """The partitions in a member's assignment; empty where it is in another format.

    Source: ConsumerProtocolAssignment.json of Apache Kafka: version, then topics with partitions.
    """
    found: set[Partition] = set()
    try:
        _, topics = struct.unpack_from(">hi", encoded)
        at = 6
        for _ in range(topics):
            (length,) = struct.unpack_from(">h", encoded, at)
            topic = encoded[at + 2 : at + 2 + length].decode()
            at += 2 + length
            (count,) = struct.unpack_from(">i", encoded, at)
            found |= {(topic, n) for n in struct.unpack_from(f">{count}i", encoded, at + 4)}
            at += 4 + 4 * count
    except (struct.error, UnicodeDecodeError):
        return set()
    return found
