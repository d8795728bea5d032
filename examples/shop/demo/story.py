"""The demo from its first process to its last check."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from consumers import billing, fulfillment, timeline
from examples.shop.demo import summary
from examples.shop.demo.audit import audit
from examples.shop.demo.counts import Counts, count
from examples.shop.demo.errors import DemoFailed
from examples.shop.demo.plan import FOR_GOOD, faults, journeys
from examples.shop.demo.processes import Processes, Running, cpu_seconds
from examples.shop.demo.readiness import Readiness
from examples.shop.demo.screen import Screen
from examples.shop.tables import create_tables
from relay.local.stack import LocalStack
from relay.postgres.sqlfile import load

__all__ = ["Options", "Story"]

GROUPS = (timeline.group, fulfillment.group, billing.group)
LOOK_S: Final = 0.4
ORDERS_A_DELIVERY: Final = 20


@dataclass(frozen=True)
class Options:
    """orders: how many customers buy. writers: processes that write at once.
    orders_per_second: of all writers together. seed: the same one, the same orders.
    patience_s: seconds that each wait may take before the demo says what did not happen."""

    orders: int = 2_000
    writers: int = 4
    orders_per_second: float = 150.0
    seed: int = 1
    patience_s: float = 300.0


class Story:
    """One run against a stack that is up. It owns `processes` and one connection."""

    def __init__(
        self,
        options: Options,
        processes: Processes,
        connection: psycopg.Connection[Any],
        stack: LocalStack,
        screen: Screen,
    ) -> None:
        self._options = options
        self._processes = processes
        self._connection = connection
        self._stack = stack
        self._bootstrap_servers = stack.addresses().bootstrap_servers
        self._screen = screen
        self._wanted = {group.name: list(group.subscriptions) for group in GROUPS}
        self._journeys = journeys(options.orders, options.seed)
        self._faults = faults(self._journeys)
        self._for_good = sum(fault.failures >= FOR_GOOD for fault in self._faults)

    def run(self) -> list[str]:
        """Plays everything; what was found wrong, one sentence each. Raises DemoFailed."""
        with self._screen.phase("Tables and topics"):
            self._prepare()
        with self._screen.phase(
            "Schemas; two relay workers, three consumer groups and the reconciler"
        ):
            relay, consumers = self._staff()
        with self._screen.phase(
            "Customers order and pay; a relay worker and a consumer are killed"
        ):
            self._trade(relay, consumers)
        with self._screen.phase("Everything arrives; what can't be handled is retried, then dead"):
            self._settle()
        with self._screen.phase("Somebody fixes the causes and replays the dead letters"):
            repaired = self._repair()
        with self._screen.phase("Topics, outbox and the shop's tables are held against each other"):
            found = audit(self._connection, self._bootstrap_servers)
            effects = summary.check_effects(self._connection, self._wanted["timeline"])
            verified = self._processes.relay_json("verify", may_find_faults=True)
            xray = self._processes.relay_json("event", "show", repaired[0])
        numbers = summary.read_numbers(self._connection)
        self._screen.show(summary.table(numbers, found, self._screen.phases, self._cpu()))
        self._screen.show(summary.verified(verified))
        self._screen.show(summary.xray(xray))
        return found.problems() + effects + summary.doubts(verified) + summary.unresolved(xray)

    def _prepare(self) -> None:
        self._processes.relay("migrate")
        create_tables(self._connection)
        for module in (timeline, fulfillment, billing):
            module.create_tables(self._connection)
        self._connection.execute(load(__package__, "create_tables.sql"))
        with self._connection.cursor() as cursor:
            cursor.executemany(
                "insert into demo.faults values (%s, %s, %s, %s, %s)",
                [
                    (f.group_name, f.event_type, f.aggregate_id, f.failures, f.reason)
                    for f in self._faults
                ],
            )

    def _staff(self) -> tuple[Running, Running]:
        """Relay and consumers, which have taken up their work."""
        relay = self._processes.start_relay("relay", "run", "--workers", "2")
        consumers = self._processes.start_relay("consumers", "consume")
        self._processes.start_relay("reconciler", "reconcile")
        self._processes.relay("schemas", "register")
        readiness = Readiness(self._connection, self._bootstrap_servers, list(self._wanted))
        deadline = time.monotonic() + self._options.patience_s
        while missing := readiness.missing():
            self._processes.check()
            if time.monotonic() > deadline:
                raise DemoFailed(
                    f"not ready after {self._options.patience_s:g} s: {', '.join(missing)}"
                )
            time.sleep(LOOK_S)
        return relay, consumers

    def _trade(self, relay: Running, consumers: Running) -> None:
        options = self._options
        steps = sum(len(journey.steps) for journey in self._journeys)
        pace = options.orders_per_second / options.orders * steps / options.writers
        writers = [
            self._processes.start(
                f"writer-{number}",
                "examples.shop.demo.writer",
                f"--orders={options.orders}",
                f"--seed={options.seed}",
                f"--writer={number}",
                f"--writers={options.writers}",
                f"--steps-per-second={pace:.3f}",
                endless=False,
            )
            for number in range(options.writers)
        ]
        shipments = options.orders // ORDERS_A_DELIVERY
        writers.append(
            self._processes.start(
                "courier",
                "examples.shop.demo.courier",
                f"--shipments={shipments}",
                endless=False,
            )
        )
        self._await(lambda now: now.orders >= options.orders // 2, "half of the orders are placed")
        self._kill(relay, "run", "relay worker")
        self._kill(consumers, "fulfillment", "consumer of the group fulfillment")
        self._await(
            lambda _: not any(_runs(writer) for writer in writers),
            "all writers and the courier are done",
        )

    def _settle(self) -> None:
        now = self._await(
            lambda now: now.settled and now.dead_letters == self._for_good,
            "everything is published, and consumed or given up",
        )
        now = self._await(lambda now: now.dead == self._for_good, "the dead letters are flagged")
        self._screen.note(f"{now.dead} events are flagged dead on their outbox rows:")
        for fault in self._faults:
            if fault.failures >= FOR_GOOD:
                self._screen.note(f"  {fault.aggregate_id} in {fault.group_name}: {fault.reason}")

    def _repair(self) -> list[str]:
        """Ids of the events that were dead and are resolved."""
        self._connection.execute(
            "update demo.faults set fixed = true where failures >= %s", (FOR_GOOD,)
        )
        replayed = self._processes.relay_json("dlq", "replay", "--all")["replayed"]
        self._screen.note(f"relay dlq replay --all: {len(replayed)} events, each to its group")
        self._await(
            lambda now: now.resolved == self._for_good and now.dead == 0 and now.settled,
            "the replayed events are resolved",
        )
        return [str(letter["event_id"]) for letter in replayed]

    def _cpu(self) -> dict[str, float]:
        """CPU seconds of each part so far."""
        used = self._processes.cpu_seconds()
        for name, server in self._stack.servers.items():
            if (process := server.process) is not None:
                used[name] = cpu_seconds(process.pid)
        return used

    def _kill(self, supervisor: Running, word: str, what: str) -> None:
        killed, started = self._processes.kill_child(supervisor, word, self._pause)
        self._screen.note(f"[red]kill -9 {killed}[/red], a {what}; {started} takes its place")

    def _await(self, condition: Callable[[Counts], bool], what: str) -> Counts:
        """Counts and shows them until `condition` holds. Raises DemoFailed when it never does."""
        deadline = time.monotonic() + self._options.patience_s
        while True:
            self._processes.check()
            now = count(self._connection, self._wanted)
            self._screen.progress(now)
            if condition(now):
                return now
            if time.monotonic() > deadline:
                raise DemoFailed(
                    f"not so after {self._options.patience_s:g} s: {what}. It stands at: "
                    f"{now.describe()}"
                )
            time.sleep(LOOK_S)

    def _pause(self, seconds: float) -> None:
        self._processes.check()
        time.sleep(seconds)


def _runs(running: Running) -> bool:
    return running.process.poll() is None
