"""Where a group goes on, by its database and Kafka, and how far it has come."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from relay.consume.failures import ServerChanged
from relay.consume.positions import BEGINNING, Positions, Progress, first_offset
from relay.consume.session import Session, Stopped
from relay.errors import BrokerUnavailable
from relay.kafka.offsets import Partition, committed_by, read_bounds
from relay.outages import Outages
from relay.process.waiting import wait_for_servers

__all__ = ["GroupProgress", "Start"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Start:
    """server: that the positions were read from. offsets: the first to read; those of
    confluent_kafka for the beginning."""

    server: str
    offsets: Mapping[Partition, int]


class GroupProgress:
    """Belongs to the thread that owns the consumer and the session."""

    def __init__(
        self,
        group: str,
        consumer: Consumer,
        admin: AdminClient,
        session: Session,
        outages: Outages,
        stop: threading.Event,
    ) -> None:
        self._group = group
        self._consumer = consumer
        self._admin = admin
        self._session = session
        self._outages = outages
        self._stop = stop
        self._positions = Positions(group, admin)

    def forget_topics(self) -> None:
        """See Positions.forget_topics."""
        self._positions.forget_topics()

    def starts(self, places: Collection[Partition]) -> Start | None:
        """Where to begin in partitions; waits out outages, None when the process is to end."""
        if not places:
            return Start("", {})
        return wait_for_servers(
            lambda: self._starts(places), self._outages, self._stop, running=True
        )

    def reconnect(self) -> None:
        """The session may be with a server that was replaced: the next one is opened anew."""
        self._session.close()

    def write(self, offsets: Mapping[Partition, int], servers: Collection[str]) -> bool:
        """Writes the next offsets to the database; False where that can't be done now.

        offsets: none where nothing has moved; the server is looked at all the same. servers: that
        the partitions were assigned with. Raises ServerChanged where the database is another one:
        the partitions have to be assigned again.
        """
        try:
            self._session.run(
                lambda connection: self.write_in(connection, offsets, servers),
                wanted=lambda: False,
            )
        except (BrokerUnavailable, Stopped) as error:
            log.debug("positions of group %s are not written: %r", self._group, error)
            return False
        return True

    def write_in(
        self,
        connection: psycopg.Connection[Any],
        offsets: Mapping[Partition, int],
        servers: Collection[str],
    ) -> None:
        """As `write`, once, on a connection that may be in a transaction.

        Raises ServerChanged, BrokerUnavailable, psycopg.Error.
        """
        if not servers:
            return
        if len(servers) > 1:
            raise ServerChanged
        self._positions.know_topics(topic for topic, _ in offsets)
        (server,) = servers
        if not self._positions.write(connection, offsets, server):
            raise ServerChanged

    def _starts(self, places: Collection[Partition]) -> Start:
        self._positions.know_topics({topic for topic, _ in places})
        committed = committed_by(self._consumer, places)
        progress = self._session.run(lambda connection: self._read(connection, places))
        offsets = {
            place: first_offset(progress.offsets.get(place), committed.get(place))
            for place in places
        }
        self._warn_of_deleted(offsets)
        return Start(progress.server, offsets)

    def _read(self, connection: psycopg.Connection[Any], places: Collection[Partition]) -> Progress:
        return self._positions.read(connection, places)

    def _warn_of_deleted(self, offsets: Mapping[Partition, int]) -> None:
        """Names what retention has deleted before the group read it."""
        bounds = read_bounds(self._admin, {topic for topic, _ in offsets}, undecided=True)
        for place, offset in sorted(offsets.items()):
            low = bounds[place].low if place in bounds else 0
            if offset != BEGINNING and offset < low:
                log.error(
                    "%s[%d] has deleted offsets %d to %d before group %s read them. Their events "
                    "are in the outbox",
                    *place, offset, low - 1, self._group,
                )  # fmt: skip
