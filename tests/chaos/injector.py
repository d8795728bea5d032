"""Carries a plan out, each fault in a thread of its own, and measures how long recovery takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psycopg

from tests.chaos.faults import carry_out
from tests.chaos.plan import Fault
from tests.chaos.rest import REST
from tests.chaos.stage import Stage

__all__ = ["Done", "Injector"]

_LOOK_S = 0.25
# Numbers below the lowest unsettled one that may still appear: of transactions that were open.
_BACK = 2_000


@dataclass
class Done:
    """A fault that has been carried out.

    ended: time.monotonic(). mark: the highest seq that was written by then. published, settled:
    seconds from its end until all events up to the mark were flagged, and until all groups had
    acted on them or given them up; None: not yet.
    """

    fault: Fault
    target: str
    ended: float
    mark: int | None = None
    published: float | None = None
    settled: float | None = None


@dataclass
class Injector:
    """done: the faults so far, shared by their threads. failures: faults that could not be done."""

    stage: Stage
    say: Callable[[str], None]
    done: list[Done] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def run(self, plan: Sequence[Fault], seconds: float) -> float:
        """Carries out all faults, for at least so many seconds; when the last one had ended."""
        began = time.monotonic()
        over = threading.Event()
        watch = threading.Thread(target=self._measure, args=(over,), name="recovery", daemon=True)
        watch.start()
        threads = []
        for fault in plan:
            time.sleep(max(0.0, began + fault.at - time.monotonic()))
            thread = threading.Thread(target=self._carry_out, args=(fault, began), daemon=True)
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()
        self._over, self._watch = over, watch
        last = max((done.ended for done in self.done), default=began)
        time.sleep(max(0.0, began + seconds - time.monotonic()))
        return last

    def finish(self) -> None:
        """Ends the measuring; what has not recovered by now stays so."""
        self._over.set()
        self._watch.join()

    def _carry_out(self, fault: Fault, began: float) -> None:
        try:
            target = carry_out(self.stage, fault, time.sleep)
        except Exception as error:
            self.failures.append(f"{fault.kind} at {fault.at:.1f} s: {error!r}")
            return
        ended = time.monotonic()
        self.done.append(Done(fault, target, ended))
        lasted = f" for {fault.seconds:.1f} s" if fault.seconds else ""
        self.say(f"{ended - began:6.1f} s  {fault.kind}{lasted}: {target}")

    def _measure(self, over: threading.Event) -> None:
        low = 0
        while not over.wait(_LOOK_S):
            try:
                with self.stage.connect() as connection:
                    took = 0.0
                    while not over.wait(max(_LOOK_S, took * REST)):
                        began = time.monotonic()
                        low = self._look(connection, low)
                        took = time.monotonic() - began
            except psycopg.Error:
                continue

    def _look(self, connection: psycopg.Connection[object], low: int) -> int:
        row = connection.execute(_LOOK, {"low": low - _BACK}).fetchone()
        assert row is not None
        highest, unpublished, unsettled = row
        now = time.monotonic()
        for done in list(self.done):
            if done.mark is None:
                done.mark = highest
            if done.published is None and (unpublished is None or unpublished > done.mark):
                done.published = now - done.ended
            if done.settled is None and (unsettled is None or unsettled > done.mark):
                done.settled = now - done.ended
        return unsettled or highest


_LOOK = """
with recent as materialized (
    select seq, id, event_type from outbox.domain_events where seq > %(low)s
)
select
    (select coalesce(max(seq), 0) from outbox.domain_events),
    (
        select min(seq) from recent
        where not exists (select from outbox.deliveries d where d.seq = recent.seq)
    ),
    (
        select min(seq)
        from recent
        join (values ('posted', 'ledger'), ('posted', 'mirror'), ('copied', 'ledger'))
            as wanted (event_type, group_name) using (event_type)
        where not exists (
            select from chaos.effects e
            where e.event_id = recent.id and e.group_name = wanted.group_name
        ) and not exists (
            select from inbox.dead_letters d
            where d.event_id = recent.id and d.group_name = wanted.group_name
        )
    )
"""
