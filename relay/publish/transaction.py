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
from relay.publish.errors import CommitResent, OutcomeUnknown, RecordRefused
from relay.publish.message import Route, RoutesOfRows
from relay.publish.outcome import BatchOutcome
from relay.publish.pace import Pace
from relay.publish.producer import ShardProducer
from relay.publish.record import Ends, PositionRecord
from relay.publish.services import Services
from relay.publish.takeover.read_from import Noted
from relay.publish.takeover.repair import TakenOver

__all__ = ["MOST_ROWS", "BatchLimit", "BatchPublisher"]

# Rows of one transaction: in larger ones a drain gains nothing more.
MOST_ROWS = 20_000
# How often it is noted from where a recovery would have to read the topics.
_NOTE_SECONDS = 10.0
# Each batch that gets through raises the limit by this share.
_GROWTH = 32


@dataclass(slots=True)
class BatchLimit:
    """The batch size of a shard after failures; kept from one take-over to the next.

    rows: most rows of a transaction. Halved after a failure, so that a batch that takes longer than
    the transaction timeout is never built again unchanged (H52), and a row that the broker refuses
    is at last alone in its batch; grows slowly while batches succeed. suspect: the seq of that row
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
            self.failed(len(seqs))

    def failed(self, rows: int) -> None:
        """A batch of so many rows did not get through in time, or was refused."""
        self.rows = max(1, min(self.rows, rows) // 2)

    def accepted(self) -> None:
        """A batch got through."""
        self.rows = min(self.rows + max(1, self.rows // _GROWTH), MOST_ROWS)


class BatchPublisher:
    """Owned by the shard's thread.

    position: after the last transaction. may_begin_at: when the next one may begin, as
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
        """producer: after its `take`. taken: the result of the take-over."""
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
        self._noted_at = float("-inf")
        self._noted: Noted | None = None
        self._pace = Pace()
        self._flags: Future[None] | None = None

    def publish(
        self, batch: Batch, routes: RoutesOfRows, parts: Sequence[ShardRows]
    ) -> list[ShardRows]:
        """One transaction: events and position together, then the flags.

        routes: of the batch's rows. parts: where fresh rows come from; empty for a retry of held
        rows. Returns what is left of the parts. Raises OutcomeUnknown, Fenced.
        """
        producer, began = self._producer, time.monotonic()
        read_from = self._read_from(began)
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
        except RecordRefused as refused:
            self._services.routes.forget()
            if not refused.of_topic:
                self._limit.refused([row[SEQ] for row in batch.rows], str(refused))
            raise
        except CommitResent:
            raise
        except OutcomeUnknown as unknown:
            if unknown.server != "database":
                self._limit.failed(len(batch.rows))
            raise
        if producer.is_transactional:
            self.may_begin_at = time.monotonic() + self._pace.pause
        self._limit.accepted()
        self._services.ends.moved(published)
        self._number, self.position = record.number, record.position
        self._flags = self._deliveries.put(
            BatchOutcome(
                self._shard,
                self._taken.epoch,
                record,
                copy_text(published, batch.attempts),
                tuple(batch.held),
                tuple(batch.released),
                read_from,
            )
        )
        self._services.events.emit(
            BatchPublished(
                self._shard,
                record.number,
                batch.used,
                sum(len(place.seqs) for (_, _, copy), place in published.items() if not copy),
                time.monotonic() - began,
                batch.age(),
            )
        )
        return left

    def await_flags(self) -> None:
        """Waits until the last transaction's flags and holds are in the database.

        Called before the next one commits, so that only the flags of the last one can be missing;
        and before holds are read, since released ones are deleted with the flags. Raises
        OutcomeUnknown, Fenced.
        """
        if self._flags is None:
            return
        try:
            self._flags.result(self._patience)
        except TimeoutError:
            raise OutcomeUnknown(
                "the flags of the last transaction could not be written in time", "database"
            ) from None

    def note_ends(self) -> None:
        """Notes the topics' ends for a shard that is quiet, so that its next owner need not read
        what the others publish meanwhile. Called when its flags are written. Raises Fenced."""
        known = self._noted
        if (read_from := self._read_from(time.monotonic())) not in (None, known):
            self._services.note(self._shard, self._taken.epoch, read_from)

    def _await_ready(self, parts: Sequence[ShardRows]) -> None:
        """Waits until this batch may be visible: its rows are on disk, the last flags written."""
        for part in parts:
            try:
                part.durable.result(self._patience)
            except (TimeoutError, SnapshotLost):
                raise OutcomeUnknown(
                    "the database did not confirm in time that the rows read are on disk",
                    "database",
                ) from None
        self.await_flags()

    def _read_from(self, now: float) -> Noted | None:
        """Ends of the topics that were seen before now, to be noted with this batch's flags."""
        if (
            now - self._noted_at < _NOTE_SECONDS
            or (noted := self._services.ends_seen.latest) is None
        ):
            return None
        self._noted_at, self._noted = now, noted
        return noted

    def _record(
        self, batch: Batch, parts: Sequence[ShardRows], ends: Ends
    ) -> tuple[PositionRecord, list[ShardRows]]:
        """The position record of a batch whose messages are sent, and the parts that are left."""
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
