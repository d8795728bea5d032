"""Finds partitions that a consumer group has given to no member, and gives them one (H75)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

from relay.errors import RelayError
from relay.kafka.clients import leave, open_consumer
from relay.kafka.errors import reason
from relay.kafka.offsets import Partition
from relay.kafka.options import consumer_options
from relay.settings import Settings

__all__ = ["Unassigned", "unassigned"]

log = logging.getLogger(__name__)

_EVERY_S: Final = 3.0
_TIMEOUT_S: Final = 10.0
# Longer than a rebalance takes whose members all answer.
_LONGEST_VISIT_S: Final = 10.0


class Unassigned:
    """Owned by the thread of one member of the group, which calls `tend`.

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
        self._admin: Any = admin
        self._group = group
        self._instance = instance
        self._partitions = frozenset(partitions)
        self._next = time.monotonic() + _EVERY_S
        self._asked: Future[Any] | None = None
        self._seen: frozenset[Partition] = frozenset()
        self._visit: threading.Thread | None = None

    def tend(self) -> None:
        """Looks at the group every few seconds, without waiting for the answer. What stays without
        a member for two looks makes the group assign everything again. Raises nothing: where the
        group can't be described, it is asked again."""
        if self._visit is not None and self._visit.is_alive():
            return
        if self._asked is None:
            if time.monotonic() >= self._next:
                self._asked = self._describe()
            return
        if not self._asked.done():
            return
        asked, self._asked = self._asked, None
        self._next = time.monotonic() + _EVERY_S
        try:
            found = unassigned(asked.result(), self._partitions, self._instance)
        except KafkaException as error:
            log.debug("group %s can't be described: %s", self._group, reason(error))
            return
        lasting, self._seen = found & self._seen, found
        if lasting:
            self._seen = frozenset()
            self._assign_again(lasting)

    def _describe(self) -> Future[Any]:
        found: dict[str, Future[Any]] = self._admin.describe_consumer_groups(
            [self._group], request_timeout=_TIMEOUT_S
        )
        return found[self._group]

    def _assign_again(self, partitions: frozenset[Partition]) -> None:
        log.warning(
            "%s of group %s are assigned to no member, since one died in the middle of a rebalance "
            "or takes long to hand them over. The group is made to assign them",
            ", ".join(f"{topic}[{number}]" for topic, number in sorted(partitions)),
            self._group,
        )
        # A daemon: a worker that ends does not wait for it.
        self._visit = threading.Thread(target=self._join_and_leave, name="visit", daemon=True)
        self._visit.start()

    def _join_and_leave(self) -> None:
        """A dynamic member that joins and leaves: each of the two is a rebalance."""
        assigned = threading.Event()
        try:
            visitor = open_consumer(
                consumer_options(
                    self._settings,
                    self._group,
                    required={
                        "partition.assignment.strategy": "cooperative-sticky",
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

    group: confluent_kafka.admin's ConsumerGroupDescription. Nothing while the group rebalances: its
    members have no assignment then. One member acts, the first by its name; should it be frozen,
    its session times out, and that is a rebalance too.
    """
    instances = [member.group_instance_id for member in group.members if member.group_instance_id]
    if group.state != ConsumerGroupState.STABLE or min(instances, default=None) != instance:
        return frozenset()
    assigned = {
        (place.topic, place.partition)
        for member in group.members
        for place in member.assignment.topic_partitions
    }
    return frozenset(partitions) - assigned
