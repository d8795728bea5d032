"""Membership in the relay's consumer group: which shards this worker owns.

Workers subscribe to the positions topic as an ordinary consumer group, so Kafka's group protocol
spreads the shards over any number of machines. Nothing is ever read through this consumer.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import socket
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from relay.errors import ConfigurationInvalid
from relay.kafka.client_log import BrokerWatch
from relay.kafka.errors import reason
from relay.kafka.options import consumer_options
from relay.outages import Outage
from relay.settings import Settings

__all__ = ["InstanceId", "Membership"]

log = logging.getLogger(__name__)

_MOST_INSTANCES = 1000
_WARNINGS = 4
_REPORTER = "membership"
_MOST_FENCINGS = 6
_FENCING_SECONDS = 60.0


class InstanceId:
    """Which one of a relay's workers on this machine and in this folder this is.

    Its name is the group.instance.id. A worker that is started again after a crash gets the same
    one, and so its shards at once; two that run side by side have two. Each is a locked file, which
    is free again as soon as its process has ended.
    """

    def __init__(self, relay: str) -> None:
        """Raises ConfigurationInvalid when there is no free one, or no folder for it."""
        place = f"{relay}\n{socket.gethostname()}\n{Path.cwd().resolve()}\n{os.getuid()}"
        digest = hashlib.sha256(place.encode()).hexdigest()[:12]
        folder = Path(tempfile.gettempdir())
        for number in range(_MOST_INSTANCES):
            path = folder / f"outbox-relay-{digest}-{number}.lock"
            try:
                file = path.open("a")
            except OSError as error:
                raise ConfigurationInvalid(
                    f"{path} can't be opened ({error}): workers need a folder for lock files. "
                    "Set TMPDIR to one that can be written"
                ) from error
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                continue
            self._file: IO[str] = file
            self.name = f"{relay}-{socket.gethostname()}-{digest}-{number}"
            return
        raise ConfigurationInvalid(
            f"{_MOST_INSTANCES} workers of relay {relay} run in this folder. End some of them"
        )


class Membership:
    """Owned by the worker's main thread.

    gained and lost are called from `poll`, in this thread; when `lost` returns, the shards must no
    longer be worked on.
    """

    def __init__(
        self,
        settings: Settings,
        instance: str,
        gained: Callable[[list[int]], None],
        lost: Callable[[list[int]], None],
        kafka: Outage,
    ) -> None:
        self._settings = settings
        self._topic = settings.positions_topic
        self._instance = instance
        self._gained = gained
        self._lost = lost
        self._shards: set[int] = set()
        self._kafka = kafka
        self._watch = BrokerWatch(kafka, "group")
        self._fenced_at: deque[float] = deque(maxlen=_MOST_FENCINGS)
        self._consumer = self._join()

    def _join(self) -> Consumer:
        settings = self._settings
        consumer = Consumer(
            consumer_options(
                settings,
                f"relay.{settings.name}",
                required={
                    **self._watch.options(),
                    "log_level": _WARNINGS,
                    "group.instance.id": self._instance,
                    "auto.offset.reset": "latest",
                    "partition.assignment.strategy": "cooperative-sticky",
                    "session.timeout.ms": settings.session_timeout_ms,
                    "heartbeat.interval.ms": max(settings.session_timeout_ms // 4, 250),
                    "max.poll.interval.ms": max(settings.session_timeout_ms, 60_000),
                },
            )
        )
        consumer.subscribe(
            [self._topic],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )
        return consumer

    @property
    def shards(self) -> frozenset[int]:
        """The shards that are this worker's."""
        return frozenset(self._shards)

    def poll(self, timeout: float) -> None:
        """Serves the group protocol. Raises ConfigurationInvalid when another worker has this
        instance id."""
        message: Any = self._consumer.poll(timeout)
        if message is None or (error := message.error()) is None:
            return
        # Lost connections come here too and mend themselves; what is fatal ends the membership.
        if error.code() == KafkaError._FATAL or error.fatal():
            self._join_again(error.str())

    def _join_again(self, reason: str) -> None:
        """Begins the membership anew.

        A static member is fenced by itself where the answer to its joining was lost on the way:
        it joins again under its instance id, and its former member id is over. Where it happens
        time and again there really are two.
        """
        now = time.monotonic()
        self._fenced_at.append(now)
        if len(self._fenced_at) == _MOST_FENCINGS and now - self._fenced_at[0] < _FENCING_SECONDS:
            raise ConfigurationInvalid(
                f"the membership in the relay's group ended {_MOST_FENCINGS} times in a minute "
                f"({reason}). Are there two machines with the same host name and folder? Give one "
                "another host name"
            )
        log.warning("the membership in the relay's group begins anew: %s", reason)
        shards, self._shards = sorted(self._shards), set()
        self._lost(shards)
        self._consumer.close()
        self._consumer = self._join()

    def confirm(self, shard: int) -> bool:
        """Whether the group says now that the shard is still this worker's.

        The coordinator refuses an offset commit under a generation that is over. That does not mean
        that the shard is another's: while a rebalance is under way a shard that stays is refused
        like one that goes. Which of the two it is comes from `poll`, by way of `lost`.
        """
        if shard not in self._shards:
            return False
        try:
            self._consumer.commit(
                offsets=[TopicPartition(self._topic, shard, 0)], asynchronous=False
            )
        except KafkaException as error:
            log.debug("the group does not confirm shard %d: %s", shard, reason(error))
            return False
        return True

    def close(self) -> None:
        """Gives all shards up, by way of `lost`, and ends the membership."""
        self._consumer.close()
        self._watch.forget()
        self._kafka.back(_REPORTER)

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        consumer.pause(partitions)
        shards = sorted(place.partition for place in partitions)
        self._shards.update(shards)
        self._kafka.back(_REPORTER)
        self._gained(shards)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Neither side heard of the other within the session timeout: another member may have the
        shards by now."""
        self._kafka.away(
            _REPORTER, "the group's coordinator and this worker did not hear of each other in time"
        )
        self._on_revoke(consumer, partitions)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        shards = sorted(place.partition for place in partitions)
        self._shards.difference_update(shards)
        self._lost(shards)
        consumer.incremental_unassign(partitions)
