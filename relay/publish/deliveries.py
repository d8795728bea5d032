"""Writes the flags of committed transactions to the database, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from relay.outages import Outage
from relay.publish.errors import Fenced
from relay.publish.outcome import BatchOutcome
from relay.publish.producer import Published
from relay.publish.store import ShardStore
from relay.unavailable import unavailable_server

__all__ = ["Deliveries", "copy_text"]

_RETRY_SECONDS = 0.5
_REPORTER = "flags"


class Deliveries:
    """One writing thread for all of a worker's shards.

    An outcome stays queued until it is written or its epoch is over: what Kafka has committed is
    flagged, however long the database is unavailable.
    """

    def __init__(
        self,
        open_store: Callable[[], ShardStore],
        database: Outage,
        renew_seconds: float,
    ) -> None:
        """open_store: a store on a new connection; raises DatabaseUnavailable. renew_seconds: how
        often the owned shards are renewed in the database."""
        self._open_store = open_store
        self._database = database
        self._held: Callable[[], Sequence[tuple[int, int]]] = tuple
        self._renew_seconds = renew_seconds
        self._renew_at = 0.0
        self._queue: deque[tuple[BatchOutcome, Future[None]]] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        # What ended the thread, other than being stopped; the worker ends then, too.
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="deliveries", daemon=True)

    def start(self, held: Callable[[], Sequence[tuple[int, int]]]) -> None:
        """Starts the thread. held: the shards that are worked on now, with their epochs."""
        self._held = held
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Ends the thread once the queue is empty, or after `timeout` seconds. The next owner of
        the shards writes what is missing then."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout)

    def put(self, outcome: BatchOutcome) -> Future[None]:
        """Queues an outcome; done once its flags are in the database, or with Fenced."""
        written: Future[None] = Future()
        with self._changed:
            self._queue.append((outcome, written))
            self._changed.notify()
        return written

    def _run(self) -> None:
        store: ShardStore | None = None
        while (work := self._next()) is not None:
            try:
                store = store or self._open_store()
                if any(outcome.record.identity != store.identity for outcome, _ in work):
                    # The address may lead to another server than it did.
                    store = self._open_store()
                if work:
                    self._write(store, work)
                if time.monotonic() >= self._renew_at:
                    self._renew_at = time.monotonic() + self._renew_seconds
                    store.renew(self._held())
                self._database.recovered(_REPORTER)
            except Exception as error:
                if unavailable_server(error) is None:
                    self.failure = error
                    return
                self._database.unavailable(_REPORTER, str(error).strip())
                store = None
                if self._stopping:
                    return
                time.sleep(_RETRY_SECONDS)

    def _next(self) -> list[tuple[BatchOutcome, Future[None]]] | None:
        """What is queued; an empty list when it is time to renew the shards; None: stop."""
        with self._changed:
            while not self._queue:
                if self._stopping:
                    return None
                if (left := self._renew_at - time.monotonic()) <= 0:
                    return []
                self._changed.wait(left)
            return list(self._queue)

    def _write(self, store: ShardStore, work: list[tuple[BatchOutcome, Future[None]]]) -> None:
        """Writes all in one transaction; where one is fenced, one by one."""
        try:
            store.write(outcome for outcome, _ in work)
        except Fenced:
            if len(work) > 1:
                for single in work:
                    self._write(store, [single])
                return
            self._settle(work, Fenced("another worker has taken the shard over"))
        else:
            self._settle(work, None)

    def _settle(self, work: list[tuple[BatchOutcome, Future[None]]], fenced: Fenced | None) -> None:
        with self._changed:
            for _ in work:
                self._queue.popleft()
        for _, written in work:
            if fenced is None:
                written.set_result(None)
            else:
                written.set_exception(fenced)


def copy_text(published: Published, attempts: Mapping[int, int]) -> bytes:
    """COPY text of deliveries: seq, copy, topic, partition, offset, attempts.

    attempts: of events that did not go at the first try, by seq.
    """
    lines: list[str] = []
    for (topic, partition, number), lane in published.items():
        middle = f"\t{number}\t{topic}\t{partition}\t"
        lines += [
            f"{seq}{middle}{offset}\t{attempts.get(seq, 1) if attempts else 1}\n"
            for seq, offset in zip(lane.seqs, lane.offsets, strict=True)
        ]
    return "".join(lines).encode()
