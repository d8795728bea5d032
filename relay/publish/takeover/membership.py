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
from confluent_kafka.admin import AdminClient

from relay.errors import ConfigurationInvalid
from relay.kafka.client_log import BrokerWatch
from relay.kafka.clients import open_consumer
from relay.kafka.errors import reason, refusal
from relay.kafka.options import consumer_options
from relay.kafka.unassigned import Unassigned
from relay.outages import Outage
from relay.settings import Settings
from relay.unavailable import is_kafka_refusal

__all__ = ["InstanceId", "Membership"]

log = logging.getLogger(__name__)

_MOST_INSTANCES = 1000
_WARNINGS = 4
_REPORTER = "membership"
_MOST_FENCINGS = 6
_FENCING_SECONDS = 60.0


class InstanceId:
    """The group.instance.id of a worker, one for each that runs in this folder on this machine.

    A worker that restarts after a crash gets the same id, and so its shards at once; two that run
    side by side get two. A locked file reserves each id; the lock ends with the process.
    """

    def __init__(self, relay: str) -> None:
        """Raises ConfigurationInvalid when no id is free, or the lock file can't be opened."""
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
    """Owned by the worker's main thread. Sees to it that every shard has a member (H75).

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
        admin: AdminClient,
    ) -> None:
        self._settings = settings
        self._topic = settings.positions_topic
        self._group = f"relay.{settings.name}"
        self._instance = instance
        self._gained = gained
        self._lost = lost
        self._shards: set[int] = set()
        self._was_member = False
        self._kafka = kafka
        self._watch = BrokerWatch(kafka, "group")
        self._fenced_at: deque[float] = deque(maxlen=_MOST_FENCINGS)
        self._unassigned = Unassigned(
            settings,
            admin,
            self._group,
            instance,
            [(self._topic, shard) for shard in range(settings.shards)],
        )
        self._consumer = self._join()
        self._unassigned.start()

    def _join(self) -> Consumer:
        settings = self._settings
        consumer = open_consumer(
            consumer_options(
                settings,
                self._group,
                required={
                    **self._watch.options(),
                    "log_level": _WARNINGS,
                    "group.instance.id": self._instance,
                    "auto.offset.reset": "latest",
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
        """Serves the group protocol.

        Raises ConfigurationInvalid when another worker has this instance id, BrokerRefused when the
        broker refuses this worker before it was a member.
        """
        message: Any = self._consumer.poll(timeout)
        if message is None or (error := message.error()) is None:
            return
        # Lost connections are reported here too and recover; a fatal error ends the membership.
        if error.code() == KafkaError._FATAL or error.fatal():
            self._join_again(error.str())
        elif is_kafka_refusal(error):
            if not self._was_member:
                raise refusal(error)
            self._kafka.unavailable(_REPORTER, error.str())

    def _join_again(self, reason: str) -> None:
        """Joins the group again.

        A static member fences itself when the response to its JoinGroup request was lost: it joins
        again under its instance id, which invalidates its former member id. If it happens again and
        again, there really are two members with this id.
        """
        now = time.monotonic()
        self._fenced_at.append(now)
        if len(self._fenced_at) == _MOST_FENCINGS and now - self._fenced_at[0] < _FENCING_SECONDS:
            raise ConfigurationInvalid(
                f"the membership in the relay's group ended {_MOST_FENCINGS} times in a minute "
                f"({reason}). Are there two machines with the same host name and folder? Give one "
                "another host name"
            )
        log.warning("joining the relay's group again: %s", reason)
        shards, self._shards = sorted(self._shards), set()
        self._lost(shards)
        self._consumer.close()
        self._consumer = self._join()

    def confirm(self, shard: int) -> bool:
        """Whether the group confirms that the shard is still this worker's.

        The coordinator refuses an offset commit of a former generation. That does not mean that
        another worker has the shard: during a rebalance it refuses shards that stay as well.
        `poll` reports those that go, through `lost`.
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
        """Hands over all shards, through `lost`, and leaves the group."""
        self._unassigned.stop()
        self._consumer.close()
        self._watch.forget()
        self._kafka.recovered(_REPORTER)

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        consumer.pause(partitions)
        shards = sorted(place.partition for place in partitions)
        self._shards.update(shards)
        self._was_member = True
        self._kafka.recovered(_REPORTER)
        self._gained(shards)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """The session timed out: another member may have the shards by now."""
        self._kafka.unavailable(
            _REPORTER, "the group's coordinator and this worker did not hear of each other in time"
        )
        self._on_revoke(consumer, partitions)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        shards = sorted(place.partition for place in partitions)
        self._shards.difference_update(shards)
        self._lost(shards)
        consumer.incremental_unassign(partitions)
