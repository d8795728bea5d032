"""Where a group goes on, by its database and Kafka, and how far it has come."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import psycopg
from confluent_kafka import OFFSET_BEGINNING, OFFSET_STORED, Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from relay.consume.failures import ServerChanged
from relay.consume.positions import Positions, Progress, first_offset
from relay.consume.session import Session, Stopped
from relay.errors import BrokerUnavailable
from relay.kafka.offsets import Partition, committed_by, read_bounds
from relay.outages import Outages
from relay.process.waiting import wait_for_servers

__all__ = ["GroupProgress"]

log = logging.getLogger(__name__)


class GroupProgress:
    """Belongs to the thread that owns the consumer and the session.

    subscribed: event types that some member of the group handles, as of the last assignment.
    """

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
        self.subscribed: Sequence[str] = ()

    def forget_topics(self) -> None:
        """See Positions.forget_topics."""
        self._positions.forget_topics()

    def assign(self, places: Collection[Partition]) -> str | None:
        """Assigns partitions to the consumer, to be read from where the group goes on.

        Waits out outages. Returns the server that knows the positions; None where the process is to
        end: the partitions are assigned as they are then, and nothing of them is to be taken.
        """
        progress = None
        if places:
            progress = wait_for_servers(
                lambda: self._starts(places), self._outages, self._stop, running=True
            )
        offsets = dict.fromkeys(places, OFFSET_STORED) if progress is None else progress.offsets
        self._consumer.incremental_assign(
            [TopicPartition(*place, offset) for place, offset in offsets.items()]
        )
        return None if progress is None else progress.server

    def assign_again(self, places: Collection[Partition], *, server_changed: bool) -> str | None:
        """As `assign`, of assigned partitions, once the database is another running server, which
        may lack what the last one had (H40), or other members handle other event types."""
        if server_changed:
            log.warning(
                "the database server was restarted or replaced: group %s goes back to the "
                "positions that it knows", self._group,
            )  # fmt: skip
            # The session may still be with the server that was replaced.
            self._session.close()
        else:
            log.info("members of group %s handle other event types now", self._group)
        self._consumer.incremental_unassign([TopicPartition(*place) for place in places])
        return self.assign(places)

    def write(self, offsets: Mapping[Partition, int], servers: Collection[str]) -> bool:
        """Writes the next offsets to the database; False where that can't be done now.

        offsets: none where nothing has moved; the server is looked at all the same. servers: that
        the partitions were assigned with. Raises ServerChanged where the database is another one,
        and SubscriptionsChanged where other members handle other event types: the partitions have
        to be assigned again.
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

        Raises ServerChanged, SubscriptionsChanged, BrokerUnavailable, psycopg.Error.
        """
        if not servers:
            return
        if len(servers) > 1:
            raise ServerChanged
        self._positions.know_topics(topic for topic, _ in offsets)
        (server,) = servers
        self._positions.write(connection, offsets, Progress(server, self.subscribed, {}))

    def _starts(self, places: Collection[Partition]) -> Progress:
        # A topic may have been made anew since it was assigned here before.
        self._positions.forget_topics()
        self._positions.know_topics(topic for topic, _ in places)
        committed = committed_by(self._consumer, places)
        known = self._session.run(lambda connection: self._positions.read(connection, places))
        offsets = {
            place: first_offset(known.offsets.get(place), committed.get(place)) for place in places
        }
        self._warn_of_deleted(offsets)
        self.subscribed = known.subscribed
        return Progress(known.server, known.subscribed, offsets)

    def _warn_of_deleted(self, offsets: Mapping[Partition, int]) -> None:
        """Names what retention has deleted before the group read it."""
        bounds = read_bounds(self._admin, {topic for topic, _ in offsets}, undecided=True)
        for place, offset in sorted(offsets.items()):
            low = bounds[place].low if place in bounds else 0
            if offset != OFFSET_BEGINNING and offset < low:
                log.error(
                    "%s[%d] has deleted offsets %d to %d before group %s read them. Their events "
                    "are in the outbox",
                    *place, offset, low - 1, self._group,
                )  # fmt: skip
