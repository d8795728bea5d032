"""A shard's life: taken over, then batch after batch, until it is handed on or in doubt."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain, islice

from relay.capture.feed import Feed, Piece
from relay.capture.row import Row
from relay.errors import BrokerUnavailable, RegistryUnavailable
from relay.postgres.connect import OUTAGES
from relay.publish.batch import Batch, Builder
from relay.publish.deliveries import Deliveries
from relay.publish.doubt import Doubt, Server
from relay.publish.holds import Hold, Holds
from relay.publish.message import RoutesOfRows
from relay.publish.producer import ShardProducer
from relay.publish.services import Services
from relay.publish.store import Stale
from relay.publish.takeover.repair import TakenOver
from relay.publish.transact import Caution, Transactor

__all__ = ["Shard"]

log = logging.getLogger(__name__)

# Rows, and bytes of them, that wait while a transaction is under way; more would only fill the
# memory.
_MOST_WAITING = 5_000
_MOST_BYTES_WAITING = 8 * 2**20
_RETRY_SECONDS = 1.0
_LOOK_AT_HEADS_SECONDS = 1.0


class Shard:
    """One shard on one worker, in one thread that owns its producer.

    After `run` ends, `failure` says why: None when it was asked to stop, a Doubt when the group is
    to be asked who owns the shard now, a RelayError when a person has to look.
    """

    def __init__(
        self, number: int, services: Services, feed: Feed, deliveries: Deliveries, caution: Caution
    ) -> None:
        self.number = number
        self.caution = caution
        self.failure: Exception | None = None
        # Under which the shard is held; None before it is taken over.
        self.epoch: int | None = None
        self._services = services
        self._settings = services.settings
        self._feed = feed
        self._deliveries = deliveries
        self._changed = threading.Condition()
        self._pieces: list[Piece] = []
        self._rows = self._bytes = 0
        self._lost: str | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self.run, name=f"shard-{number}", daemon=True)

    # Called from other threads

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether the thread has ended."""
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Asks for the end: the open transaction is finished, queued pieces are dropped."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def join(self, timeout: float) -> bool:
        """Whether the thread ended within `timeout` seconds."""
        self._thread.join(timeout)
        return self.ended

    def offer(self, piece: Piece) -> bool:
        """See relay.capture.feed.Taker."""
        with self._changed:
            if self._rows and (
                self._rows + len(piece.rows) > _MOST_WAITING
                or self._bytes + piece.size > _MOST_BYTES_WAITING
            ):
                return False
            self._pieces.append(piece)
            self._rows += len(piece.rows)
            self._bytes += piece.size
            self._changed.notify()
            return True

    def lost(self, reason: str) -> None:
        """See relay.capture.feed.Taker."""
        with self._changed:
            self._lost = reason
            self._changed.notify()

    # The thread

    def run(self) -> None:
        """Lives the shard's life once."""
        producer: ShardProducer | None = None
        try:
            producer = ShardProducer(
                self._settings, self.number, self._services.routes.smallest_limit()
            )
            producer.take()
            taken = self._services.take_over(self.number)
            log.info("shard %d: taken over at transaction %d", self.number, taken.number)
            self.epoch = taken.epoch
            self._services.outages_end(self.number)
            self._feed.add(self.number, taken.position, taken.identity, self)
            self._live(producer, taken)
        except (Doubt, Stale) as error:
            # Without the frames of its traceback, which would keep the producer and its threads.
            self.failure = error.with_traceback(None)
            self.failure.__cause__ = self.failure.__context__ = None
        except (BrokerUnavailable, *OUTAGES) as error:
            away: Server = "kafka" if isinstance(error, BrokerUnavailable) else "database"
            self.failure = Doubt(str(error).strip(), away)
            self.failure.__context__ = None
        except Exception as error:
            self.failure = error
        finally:
            self._feed.remove(self.number, self)
            if producer is not None:
                producer.give_up()

    def _live(self, producer: ShardProducer, taken: TakenOver) -> None:
        """Batch after batch until asked to stop."""
        settings, services = self._settings, self._services
        holds = Holds(settings.on_dead, taken.holds)
        builder = Builder(services.messages(), holds, services.backoff, settings.max_attempts)
        builder.blamed = self.caution.blamed or {}
        self.caution.blamed = None
        transactor = Transactor(
            self.number, services, self._deliveries, self.caution, producer, taken
        )
        last_look = datetime.now(UTC)
        while True:
            pieces = self._next(holds, last_look, transactor)
            if pieces is None:
                return
            now = datetime.now(UTC)
            if len(holds) and (now - last_look).total_seconds() >= _LOOK_AT_HEADS_SECONDS:
                transactor.await_flags()
                holds.apply(services.heads(self.number))
                last_look = now
            if runs := holds.due(now):
                runs = _first(runs, self.caution.limit)
                rows = services.rows([hold.seq for run in runs for hold in run])
                if (routes := self._ask_routes(builder, rows)) is None:
                    return
                batch = builder.again(runs, rows, routes, now)
                transactor.publish(batch, routes, ())
                holds.release(batch.released)
                self._hold(holds, batch)
            while pieces:
                rows = list(islice(chain(*(piece.rows for piece in pieces)), self.caution.limit))
                if (routes := self._ask_routes(builder, rows)) is None:
                    return
                batch = builder.fresh(rows, routes, now)
                pieces = transactor.publish(batch, routes, pieces)
                self._hold(holds, batch)
                del batch, rows  # not kept while the next ones are waited for
                if self._stopping:
                    return

    def _next(
        self, holds: Holds, last_look: datetime, transactor: Transactor
    ) -> list[Piece] | None:
        """Waits for pieces, or for a held row's turn (then without pieces); None: stop.

        Behind a transaction it waits for its pause as well, and takes what has come meanwhile.
        """
        with self._changed:
            while not self._pieces and self._lost is None and not self._stopping:
                pause = None
                if len(holds):
                    now = datetime.now(UTC)
                    due = holds.next_due()
                    pause = _LOOK_AT_HEADS_SECONDS - (now - last_look).total_seconds()
                    if due is not None:
                        pause = min(pause, (due - now).total_seconds())
                    if pause <= 0 or holds.due(now):
                        return []
                self._changed.wait(pause)
            while (
                self._lost is None
                and not self._stopping
                and self._rows < _MOST_WAITING
                and (pause := transactor.may_begin_at - time.monotonic()) > 0
            ):
                self._changed.wait(pause)
            if self._stopping:
                return None
            if self._lost is not None:
                raise Doubt(self._lost, "database")
            pieces, self._pieces = self._pieces, []
            self._rows = self._bytes = 0
        self._feed.nudge()
        return pieces

    def _hold(self, holds: Holds, batch: Batch) -> None:
        """Notes what a committed transaction did not publish."""
        holds.apply(batch.held)
        for hold in batch.held:
            if hold.state == "dead":
                log.warning(
                    "event %s of %s %s is dead after %d attempts, %s: %s",
                    hold.event_id, *hold.aggregate, hold.attempts,
                    "later events of it wait" if holds.dead_blocks else "later events of it go on",
                    hold.error,
                )  # fmt: skip
            elif hold.state == "failing" and hold.attempts:
                log.info("event %s failed, attempt %d: %s",
                         hold.event_id, hold.attempts, hold.error)  # fmt: skip

    def _ask_routes(self, builder: Builder, rows: Sequence[Row]) -> RoutesOfRows | None:
        """The rows' routes once the registry answers; None when asked to stop meanwhile."""
        registry, reporter = self._services.outages.registry, f"shard {self.number}"
        while True:
            try:
                routes = builder.routes(rows)
            except RegistryUnavailable as error:
                registry.away(reporter, str(error))
            else:
                registry.back(reporter)
                return routes
            with self._changed:
                if self._stopping:
                    return None
                if self._lost is not None:
                    raise Doubt(self._lost, "database")
                self._changed.wait(_RETRY_SECONDS)


def _first(runs: list[list[Hold]], most: int) -> list[list[Hold]]:
    """The first held rows of runs, at most `most` in all; the rest has its turn later."""
    chosen: list[list[Hold]] = []
    for run in runs:
        if most <= 0:
            break
        chosen.append(run[:most])
        most -= len(run)
    return chosen
