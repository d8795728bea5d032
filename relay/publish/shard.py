"""A shard's life: taken over, then batch after batch, until it is handed on or in doubt."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain, islice

from relay.capture.feed import Feed
from relay.capture.row import Row
from relay.errors import BrokerUnavailable, RegistryUnavailable
from relay.observe import EventDead, EventFailed, EventsHeld, ShardTakenOver
from relay.postgres.connect import OUTAGES
from relay.publish.batch import Batch, Builder
from relay.publish.deliveries import Deliveries
from relay.publish.errors import Fenced, OutcomeUnknown
from relay.publish.holds import Hold, Holds
from relay.publish.message import RoutesOfRows
from relay.publish.producer import ShardProducer, open_producer
from relay.publish.queue import ShardQueue
from relay.publish.services import Services
from relay.publish.takeover.repair import TakenOver
from relay.publish.transaction import BatchLimit, BatchPublisher

__all__ = ["Shard"]

_RETRY_SECONDS = 1.0
_LOOK_AT_HEADS_SECONDS = 1.0


class Shard:
    """One shard on one worker, in one thread that owns its producer.

    After `run` ends, `failure` says why: None when it was asked to stop, an OutcomeUnknown or
    Fenced when the group is to be asked who owns the shard now, another error when a person has to
    look. epoch: under which the shard is held; None before it is taken over.
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
        """Asks for the end: the open transaction is finished, queued rows are dropped."""
        self._rows.close()

    def join(self, timeout: float) -> bool:
        """Whether the thread ended within `timeout` seconds."""
        self._thread.join(timeout)
        return self.ended

    # The thread

    def run(self) -> None:
        """Lives the shard's life once."""
        producer: ShardProducer | None = None
        try:
            began = time.monotonic()
            producer = open_producer(
                self._services.settings, self.number, self._services.routes.smallest_limit()
            )
            producer.take()
            taken = self._services.take_over(self.number)
            self.epoch = taken.epoch
            self._services.outages.no_longer_missed_by(f"shard {self.number}")
            self._services.events.emit(
                ShardTakenOver(self.number, taken.epoch, taken.number, time.monotonic() - began)
            )
            self._feed.add(self.number, taken.position, taken.identity, self._rows)
            self._publish_all(producer, taken)
        except (OutcomeUnknown, Fenced) as error:
            # Without the frames of its traceback, which would keep the producer and its threads.
            self.failure = error.with_traceback(None)
            self.failure.__cause__ = self.failure.__context__ = None
        except BrokerUnavailable as error:
            self.failure = OutcomeUnknown(str(error), "kafka")
            self.failure.__context__ = None
        except OUTAGES as error:
            self.failure = OutcomeUnknown(str(error).strip(), "database")
            self.failure.__context__ = None
        except Exception as error:
            self.failure = error
        finally:
            self._feed.remove(self.number, self._rows)
            if producer is not None:
                producer.drop()

    def _publish_all(self, producer: ShardProducer, taken: TakenOver) -> None:
        """Batch after batch until asked to stop: held rows whose turn has come, then fresh ones."""
        services, settings = self._services, self._services.settings
        holds = Holds(settings.on_dead, taken.holds)
        builder = Builder(services.messages(), holds, services.backoff, settings.max_attempts)
        builder.suspect, self._limit.suspect = self._limit.suspect or {}, None
        publisher = BatchPublisher(
            self.number, services, self._deliveries, self._limit, producer, taken
        )
        looked_at = datetime.now(UTC)
        while True:
            until = None if not len(holds) else _next_look(holds, looked_at)
            parts = self._rows.take(until, publisher.may_begin_at)
            if parts is None:
                return
            self._feed.nudge()
            now = datetime.now(UTC)
            if len(holds) and (now - looked_at).total_seconds() >= _LOOK_AT_HEADS_SECONDS:
                publisher.await_flags()
                holds.apply(services.heads(self.number))
                looked_at = now
            if runs := _first(holds.due(now), self._limit.rows):
                rows = services.rows([hold.seq for run in runs for hold in run])
                if (routes := self._find_routes(builder, rows)) is None:
                    return
                batch = builder.again(runs, rows, routes, now)
                publisher.publish(batch, routes, ())
                self._hold(holds, batch)
            while parts:
                rows = list(islice(chain(*(part.rows for part in parts)), self._limit.rows))
                if (routes := self._find_routes(builder, rows)) is None:
                    return
                batch = builder.fresh(rows, routes, now)
                parts = publisher.publish(batch, routes, parts)
                self._hold(holds, batch)
                del batch, rows  # not kept while the next ones are waited for
                if self._rows.is_closed:
                    return

    def _find_routes(self, builder: Builder, rows: Sequence[Row]) -> RoutesOfRows | None:
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
            if not self._rows.sleep(_RETRY_SECONDS):
                return None

    def _hold(self, holds: Holds, batch: Batch) -> None:
        """Notes what a committed transaction released, and what it did not publish."""
        if batch.released:
            holds.release(batch.released)
        holds.apply(batch.held)
        emit = self._services.events.emit
        if batch.held:
            emit(EventsHeld(self.number, len(batch.held)))
        for hold in batch.held:
            who = hold.event_id, *hold.aggregate, hold.attempts, hold.error
            if hold.state == "dead":
                emit(EventDead(*who, holds.dead_blocks))
            elif hold.state == "failing" and hold.attempts:
                emit(EventFailed(*who))


def _next_look(holds: Holds, looked_at: datetime) -> float:
    """When holds are to be looked at at the latest, by time.monotonic(): a person may have set one
    free in the database, or the next one has its turn."""
    now = datetime.now(UTC)
    pause = _LOOK_AT_HEADS_SECONDS - (now - looked_at).total_seconds()
    if (due := holds.next_due()) is not None:
        pause = min(pause, (due - now).total_seconds())
    if holds.due(now):
        pause = 0.0
    return time.monotonic() + pause


def _first(runs: list[list[Hold]], most: int) -> list[list[Hold]]:
    """The first held rows of runs, at most `most` in all; the rest has its turn later."""
    chosen: list[list[Hold]] = []
    for run in runs:
        if most <= 0:
            break
        chosen.append(run[:most])
        most -= len(run)
    return chosen
