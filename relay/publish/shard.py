"""A shard from its take-over to its end: batch after batch, until it is handed over or in doubt."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from itertools import chain, islice

from relay.capture.feed import Feed
from relay.capture.row import SEQ, Row
from relay.errors import RegistryUnavailable
from relay.observe import EventDead, EventDiscarded, EventFailed, EventsHeld, ShardTakenOver
from relay.publish.batch import MOST_HELD, Batch, Builder
from relay.publish.deliveries import Deliveries
from relay.publish.errors import Fenced, OutcomeUnknown
from relay.publish.holds import Hold, Holds
from relay.publish.message import RoutesOfRows
from relay.publish.producer import ShardProducer, open_producer
from relay.publish.queue import ShardQueue
from relay.publish.services import Services
from relay.publish.takeover.repair import TakenOver
from relay.publish.transaction import BatchLimit, BatchPublisher
from relay.unavailable import unavailable_server

__all__ = ["Shard"]

_RETRY_SECONDS = 1.0
# How often a shard looks for what a person has replayed or discarded; the latter where it knows of
# no hold, since dead events that others have passed and discarded ones are only in the database.
_LOOK_AT_HEADS_SECONDS = 1.0
_LOOK_WITHOUT_HOLDS_SECONDS = 5.0


class Shard:
    """One shard on one worker, in one thread that owns its producer.

    After `run`, `failure` is None when the shard was stopped, an OutcomeUnknown or Fenced when the
    group has to confirm who owns the shard now, and another error when it needs an operator.
    epoch: under which the shard is held; None before it is taken over.
    """

    def __init__(
        self,
        number: int,
        services: Services,
        feed: Feed,
        deliveries: Deliveries,
        limit: BatchLimit,
    ) -> None:
        self.number = number
        self.failure: Exception | None = None
        self.epoch: int | None = None
        self._services = services
        self._feed = feed
        self._deliveries = deliveries
        self._limit = limit
        self._rows = ShardQueue()
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
        """Requests the end: the open transaction is finished, queued rows are dropped."""
        self._rows.close()

    def join(self, timeout: float) -> bool:
        """Whether the thread ended within `timeout` seconds."""
        self._thread.join(timeout)
        return self.ended

    # The thread

    def run(self) -> None:
        """The thread: takes the shard over and publishes until the end. Raises nothing."""
        producer: ShardProducer | None = None
        try:
            began = time.monotonic()
            producer = open_producer(
                self._services.settings, self.number, self._services.routes.smallest_limit()
            )
            producer.take()
            taken, holds = self._services.take_over(self.number)
            self.epoch = taken.epoch
            self._services.outages.recovered(f"shard {self.number}")
            self._services.events.emit(
                ShardTakenOver(self.number, taken.epoch, taken.number, time.monotonic() - began)
            )
            self._feed.add(self.number, taken.position, taken.identity, self._rows)
            self._publish_all(producer, taken, holds)
        except (OutcomeUnknown, Fenced) as error:
            # Its traceback would keep the producer and its threads alive.
            self.failure = error.with_traceback(None)
            self.failure.__cause__ = self.failure.__context__ = None
        except Exception as error:
            self.failure = error
            if (server := unavailable_server(error)) is not None:
                self.failure = OutcomeUnknown(str(error).strip(), server)
                self.failure.__context__ = None
        finally:
            self._feed.remove(self.number, self._rows)
            if producer is not None:
                producer.drop()

    def _publish_all(self, producer: ShardProducer, taken: TakenOver, holds: Holds) -> None:
        """Batch after batch until stopped: held rows that are due, then fresh ones."""
        services, settings = self._services, self._services.settings
        builder = Builder(services.messages(), holds, services.backoff, settings.max_attempts)
        builder.suspect, self._limit.suspect = self._limit.suspect or {}, None
        publisher = BatchPublisher(
            self.number, services, self._deliveries, self._limit, producer, taken
        )
        looked_at = time.monotonic()
        while True:
            parts = self._rows.take(_next_look(holds, looked_at), publisher.may_begin_at)
            if parts is None:
                return
            self._feed.nudge()
            if time.monotonic() - looked_at >= _pause_between_looks(holds):
                publisher.await_flags()
                publisher.note_ends()
                looked_at = time.monotonic()
                holds.apply(services.heads(self.number), looked_at)
            if runs := _first(holds.due(time.monotonic()), self._limit.rows):
                rows, whole = services.rows([hold.seq for run in runs for hold in run])
                if not whole:
                    runs = _up_to(rows[-1][SEQ], runs)
                if (routes := self._find_routes(builder, rows)) is None:
                    return
                batch = builder.again(runs, rows, routes)
                publisher.publish(batch, routes, ())
                self._hold(holds, batch)
            while parts:
                rows = list(islice(chain(*(part.rows for part in parts)), self._limit.rows))
                if (routes := self._find_routes(builder, rows)) is None:
                    return
                batch = builder.fresh(rows, routes)
                parts = publisher.publish(batch, routes, parts)
                self._hold(holds, batch)
                del batch, rows  # not kept while the next ones are waited for
                if self._rows.is_closed:
                    return

    def _find_routes(self, builder: Builder, rows: Sequence[Row]) -> RoutesOfRows | None:
        """The rows' routes once the registry answers; None when stopped meanwhile."""
        registry, reporter = self._services.outages.registry, f"shard {self.number}"
        while True:
            try:
                routes = builder.routes(rows)
            except RegistryUnavailable as error:
                registry.unavailable(reporter, str(error))
            else:
                registry.recovered(reporter)
                return routes
            if not self._rows.sleep(_RETRY_SECONDS):
                return None

    def _hold(self, holds: Holds, batch: Batch) -> None:
        """Notes what a committed transaction released, and what it did not publish."""
        if batch.released:
            holds.release(batch.released)
        holds.apply(batch.held, time.monotonic())
        emit = self._services.events.emit
        if held := sum(hold.state != "discarded" for hold in batch.held):
            emit(EventsHeld(self.number, held))
        for hold in batch.held:
            who = hold.event_id, *hold.aggregate, hold.attempts, hold.error
            if hold.state == "discarded":
                emit(EventDiscarded(hold.event_id, *hold.aggregate, hold.discard or ""))
            elif hold.state == "dead":
                emit(EventDead(*who, holds.dead_blocks))
            elif hold.state == "failing" and hold.attempts:
                emit(EventFailed(*who))


def _next_look(holds: Holds, looked_at: float) -> float:
    """When to look at the holds again, as time.monotonic(): an operator may have released one in
    the database, or the next one is due."""
    now = time.monotonic()
    if holds.due(now):
        return now
    look = looked_at + _pause_between_looks(holds)
    due = holds.next_due()
    return look if due is None else min(look, due)


def _pause_between_looks(holds: Holds) -> float:
    return _LOOK_AT_HEADS_SECONDS if len(holds) else _LOOK_WITHOUT_HOLDS_SECONDS


def _up_to(seq: int, runs: list[list[Hold]]) -> list[list[Hold]]:
    """The held rows of runs up to `seq`."""
    return [left for run in runs if (left := [hold for hold in run if hold.seq <= seq])]


def _first(runs: list[list[Hold]], most: int) -> list[list[Hold]]:
    """The first held rows of runs, at most `most` in all; more runs than a batch may hold again
    are left for the next one."""
    chosen: list[list[Hold]] = []
    for run in runs[:MOST_HELD]:
        if most <= 0:
            break
        chosen.append(run[:most])
        most -= len(run)
    return chosen
