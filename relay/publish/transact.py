"""Publishes a shard's batches, each in one transaction with the position that it leads to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

from relay.capture.feed import Piece
from relay.capture.row import SEQ
from relay.publish.batch import Batch, cut
from relay.publish.deliveries import Deliveries, Receipt, copy_text
from relay.publish.doubt import Doubt, Refused
from relay.publish.message import Route, RoutesOfRows
from relay.publish.pace import Pace
from relay.publish.producer import ShardProducer
from relay.publish.record import Ends, PositionRecord
from relay.publish.services import Services
from relay.publish.store import Outcome
from relay.publish.takeover.repair import TakenOver

__all__ = ["MOST_ROWS", "Caution", "Transactor"]

# Rows of one transaction: in larger ones a drain gains nothing more.
MOST_ROWS = 20_000


@dataclass(slots=True)
class Caution:
    """What a shard remembers of refusals from one take-over to the next.

    limit: rows that a transaction may have; halved until the row to blame comes alone.
    """

    limit: int = MOST_ROWS
    blamed: dict[int, str] | None = None

    def refused(self, seqs: list[int], reason: str) -> None:
        """The broker refused a batch of these rows."""
        if len(seqs) == 1:
            self.blamed = {seqs[0]: reason}
            self.limit = MOST_ROWS
        else:
            self.limit = max(1, len(seqs) // 2)

    def accepted(self) -> None:
        """A batch went through."""
        self.limit = min(self.limit * 2, MOST_ROWS)


class Transactor:
    """Owned by the shard's thread.

    position: where the last transaction has led to. may_begin_at: when the next one may begin, by
    time.monotonic().
    """

    def __init__(
        self,
        shard: int,
        services: Services,
        deliveries: Deliveries,
        caution: Caution,
        producer: ShardProducer,
        taken: TakenOver,
    ) -> None:
        """producer: after its `take`. taken: what was found then."""
        self.position = taken.position
        self.may_begin_at = 0.0
        self._shard = shard
        self._services = services
        self._settings = services.settings
        self._exactly_once = services.settings.delivery == "exactly-once"
        self._patience = services.settings.transaction_timeout_ms / 2000
        self._deliveries = deliveries
        self._caution = caution
        self._producer = producer
        self._taken = taken
        self._number = taken.number
        self._pace = Pace()
        self._receipt: Receipt | None = None

    def publish(self, batch: Batch, routes: RoutesOfRows, pieces: Sequence[Piece]) -> list[Piece]:
        """One transaction: events and position together, then the flags.

        routes: of the batch's rows. pieces: that fresh rows come from; none for rows tried again.
        Returns what is left of the pieces. Raises Doubt.
        """
        topics = {route.topic for route in routes.values() if isinstance(route, Route)}
        record = cache(partial(self._record, batch, pieces, self._services.ends.of(topics)))
        began = time.monotonic()

        def before_commit() -> None:
            self._pace.took(batch.used, time.monotonic() - began)
            self._await_disk(pieces)
            self.await_flags()

        try:
            published = self._producer.publish(
                batch.messages,
                lambda: (self._settings.positions_topic, self._shard, record()[0].to_bytes()),
                before_commit,
            )
        except Refused as refused:
            self._services.routes.forget()
            if not refused.gone:
                self._caution.refused([row[SEQ] for row in batch.rows], str(refused))
            raise
        if self._exactly_once:
            self.may_begin_at = time.monotonic() + self._pace.pause
        self._caution.accepted()
        self._services.ends.moved(published)
        done, left = record()
        self._number, self.position = done.number, done.position
        self._receipt = self._deliveries.put(
            Outcome(
                self._shard,
                self._taken.epoch,
                done,
                copy_text(published, batch.attempts),
                tuple(batch.held),
                tuple(batch.released),
            )
        )
        return left

    def await_flags(self) -> None:
        """Waits until the last transaction's flags and holds are in the database.

        Before the next one commits, so that only the last one can need redoing; and before holds
        are read, since those that are over still stand there until then. Raises Doubt, Stale.
        """
        if self._receipt is not None and not self._receipt.wait(self._patience):
            raise Doubt("the flags of the last transaction could not be written in time")

    def _record(
        self, batch: Batch, pieces: Sequence[Piece], ends: Ends
    ) -> tuple[PositionRecord, list[Piece]]:
        """The record of a batch whose messages are all made, and the pieces that are left."""
        steps, left = cut(pieces, batch.used)
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

    def _await_disk(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            if not piece.durable.wait(self._patience):
                raise Doubt("the database did not say in time that what was read is on disk")
