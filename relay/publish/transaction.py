"""Publishes a shard's batches, each in one transaction with the position that it leads to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from relay.capture.feed import ShardRows, SnapshotLost
from relay.capture.row import SEQ
from relay.observe import BatchPublished
from relay.publish.batch import Batch, cut
from relay.publish.deliveries import Deliveries, copy_text
from relay.publish.errors import OutcomeUnknown, Refused
from relay.publish.message import Route, RoutesOfRows
from relay.publish.pace import Pace
from relay.publish.producer import ShardProducer
from relay.publish.record import Ends, PositionRecord
from relay.publish.services import Services
from relay.publish.store import Outcome
from relay.publish.takeover.repair import TakenOver

__all__ = ["MOST_ROWS", "BatchLimit", "BatchPublisher"]

# Rows of one transaction: in larger ones a drain gains nothing more.
MOST_ROWS = 20_000


@dataclass(slots=True)
class BatchLimit:
    """What a shard remembers of refusals from one take-over to the next.

    rows: that a transaction may have; halved until the refused row comes alone. suspect: that row
    and the broker's reason.
    """

    rows: int = MOST_ROWS
    suspect: dict[int, str] | None = None

    def refused(self, seqs: list[int], reason: str) -> None:
        """The broker refused a batch of these rows."""
        if len(seqs) == 1:
            self.suspect = {seqs[0]: reason}
            self.rows = MOST_ROWS
        else:
            self.rows = max(1, len(seqs) // 2)

    def accepted(self) -> None:
        """A batch went through."""
        self.rows = min(self.rows * 2, MOST_ROWS)


class BatchPublisher:
    """Owned by the shard's thread.

    position: where the last transaction has led to. may_begin_at: when the next one may begin, by
    time.monotonic().
    """

    def __init__(
        self,
        shard: int,
        services: Services,
        deliveries: Deliveries,
        limit: BatchLimit,
        producer: ShardProducer,
        taken: TakenOver,
    ) -> None:
        """producer: after its `take`. taken: what was found then."""
        self.position = taken.position
        self.may_begin_at = 0.0
        self._shard = shard
        self._services = services
        self._settings = services.settings
        self._patience = services.settings.transaction_timeout_ms / 2000
        self._deliveries = deliveries
        self._limit = limit
        self._producer = producer
        self._taken = taken
        self._number = taken.number
        self._pace = Pace()
        self._flags: Future[None] | None = None

    def publish(
        self, batch: Batch, routes: RoutesOfRows, parts: Sequence[ShardRows]
    ) -> list[ShardRows]:
        """One transaction: events and position together, then the flags.

        routes: of the batch's rows. parts: that fresh rows come from; none for rows tried again.
        Returns what is left of the parts. Raises OutcomeUnknown, Fenced.
        """
        producer, began = self._producer, time.monotonic()
        ends = self._services.ends.of({r.topic for r in routes.values() if isinstance(r, Route)})
        try:
            producer.begin()
            if not producer.is_transactional:
                self._await_ready(parts)  # what is sent is visible at once
            published = producer.send(batch.messages)
            record, left = self._record(batch, parts, ends)
            producer.send_position(self._settings.positions_topic, self._shard, record.to_bytes())
            producer.flush()
            self._pace.took(batch.used, time.monotonic() - began)
            self._await_ready(parts)
            producer.commit()
        except Refused as refused:
            self._services.routes.forget()
            if not refused.gone:
                self._limit.refused([row[SEQ] for row in batch.rows], str(refused))
            raise
        if producer.is_transactional:
            self.may_begin_at = time.monotonic() + self._pace.pause
        self._limit.accepted()
        self._services.ends.moved(published)
        self._number, self.position = record.number, record.position
        self._flags = self._deliveries.put(
            Outcome(
                self._shard,
                self._taken.epoch,
                record,
                copy_text(published, batch.attempts),
                tuple(batch.held),
                tuple(batch.released),
            )
        )
        self._services.events.emit(
            BatchPublished(self._shard, record.number, batch.used, time.monotonic() - began)
        )
        return left

    def await_flags(self) -> None:
        """Waits until the last transaction's flags and holds are in the database.

        Before the next one commits, so that only the last one can need redoing; and before holds
        are read, since those that are over still stand there until then. Raises OutcomeUnknown,
        Fenced.
        """
        if self._flags is None:
            return
        try:
            self._flags.result(self._patience)
        except TimeoutError:
            raise OutcomeUnknown(
                "the flags of the last transaction could not be written in time", "database"
            ) from None

    def _await_ready(self, parts: Sequence[ShardRows]) -> None:
        """Waits until this batch may be seen: its rows are on disk, the last flags are written."""
        for part in parts:
            try:
                part.durable.result(self._patience)
            except (TimeoutError, SnapshotLost):
                raise OutcomeUnknown(
                    "the database did not say in time that what was read is on disk", "database"
                ) from None
        self.await_flags()

    def _record(
        self, batch: Batch, parts: Sequence[ShardRows], ends: Ends
    ) -> tuple[PositionRecord, list[ShardRows]]:
        """The record of a batch whose messages are all made, and the parts that are left."""
        steps, left = cut(parts, batch.used)
        record = PositionRecord(
            number=self._number + 1,
            shard=self._shard,
            shards=self._settings.shards,
            identity=self._taken.identity,
            position=steps[-1].position() if steps else self.position,
            steps=tuple(steps),
            not_produced=tuple(batch.held),
            released=tuple(batch.released),
            ends=ends,
            partitions={topic: len(places) for topic, places in ends.items()},
        )
        return record, left
