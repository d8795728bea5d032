"""One run: everything starts, is disturbed by the plan, comes to rest, and is checked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from relay import DomainEventBus
from tests.chaos.consumers import COPY_EACH
from tests.chaos.events import TOPICS, Copied, Posted
from tests.chaos.evidence import Evidence, collect, flagged_dead, last_seq
from tests.chaos.fates import GROUPS
from tests.chaos.injector import Done, Injector
from tests.chaos.operator import Operator
from tests.chaos.plan import Fault
from tests.chaos.rest import UNDONE, UNRESOLVED, wait
from tests.chaos.stage import Size, Stage
from tests.chaos.verdict import Finding, judge
from tests.chaos.writer import ACCOUNTS

__all__ = ["Outcome", "perform"]

IDLE_S: Final = 60.0


@dataclass
class Outcome:
    """What came of a run. problems: what went wrong beside the findings, one line each.

    idle_after: seconds from the end of the last fault until nothing was left to do; None: not
    within the limit. resolved_after: seconds from the replay until no dead letter was left.
    aborted: transactions without an end that the operator aborted, because a worker asked for it.
    """

    done: Sequence[Done]
    evidence: Evidence
    findings: Sequence[Finding]
    idle_after: float | None
    resolved_after: float | None
    problems: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether everything was as promised."""
        return not self.findings and not self.problems


def perform(
    folder: Path,
    seed: int,
    plan: Sequence[Fault],
    seconds: float,
    size: Size,
    idle_s: float = IDLE_S,
    say: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Performs one run in an empty folder. seconds: how long the writers write, at least; faults
    may last longer. idle_s: the limit for coming to rest."""
    stage = Stage(folder, seed, size)
    try:
        say("PostgreSQL, Kafka, the registry and all processes start")
        stage.set_up()
        stage.start_processes()
        stage.start_writers()
        operator = Operator(folder, stage.stack.kafka.bootstrap_servers, say)
        injector = Injector(stage, say)
        last = injector.run(plan, seconds)
        stage.processes.end("writer")
        _write_last_events(stage)
        say("the faults are over; everything comes to rest")
        outcome = _come_to_rest(stage, injector, operator, last, idle_s, say)
        operator.close()
        outcome.aborted = operator.aborted
        return outcome
    finally:
        stage.close()


def _come_to_rest(
    stage: Stage,
    injector: Injector,
    operator: Operator,
    last: float,
    idle_s: float,
    say: Callable[[str], None],
) -> Outcome:
    """Waits, replays the dead letters, and compares. last: when the last fault had ended; where
    the operator has to act after that, it ends with what the operator did."""
    idle_after, left = wait(stage, UNDONE, lambda: max(last, operator.last_at), idle_s)
    injector.finish()
    with stage.connect() as connection:
        dead_before = flagged_dead(connection)
        fixed_after = last_seq(connection)
        connection.execute("insert into chaos.fixed default values")
    say(f"{len(dead_before)} dead letters are replayed, now that the handlers are fixed")
    replay = stage.processes.run_relay("dlq", "replay", "--all", check=False)
    replayed = time.monotonic()
    resolved_after, unresolved = wait(stage, UNRESOLVED, lambda: replayed, idle_s)
    say("everything is read and compared")
    evidence = _collect(stage, dead_before, fixed_after)
    verify = stage.processes.run_relay("verify", "--json", check=False)
    stage.processes.end()
    stage.processes.look_at_logs()
    problems = [*injector.failures, *stage.processes.problems]
    if idle_after is None:
        problems.append(f"it stands still after the last fault: {left}")
    elif idle_after > idle_s:
        problems.append(f"idle only {idle_after:.0f} s after the last fault")
    if resolved_after is None:
        problems.append(f"it stands still after the replay: {unresolved}")
    for command, done in (("dlq replay", replay), ("verify", verify)):
        if done.returncode:
            problems.append(f"relay {command}: {done.stdout[-500:]} {done.stderr[-500:]}")
    return Outcome(
        injector.done,
        evidence,
        judge(evidence, COPY_EACH),
        idle_after,
        resolved_after,
        problems,
        stage.processes.crashes,
    )


def _collect(stage: Stage, dead_before: frozenset[tuple[str, str]], fixed_after: int) -> Evidence:
    dead_letter_topics = [
        f"{topic}.{group}.dlq"
        for topic, event in zip(TOPICS, (Posted, Copied), strict=True)
        for group, types in GROUPS.items()
        if event.EVENT_TYPE in types
    ]
    with stage.connect() as connection:
        return collect(
            connection,
            stage.stack.kafka.bootstrap_servers,
            TOPICS,
            dead_letter_topics,
            sorted(stage.folder.glob("*.account")),
            dead_before,
            fixed_after,
        )


def _write_last_events(stage: Stage) -> None:
    """One more event of each account, and so of each shard and partition."""
    with stage.connect() as connection:
        for account in ACCOUNTS:
            with connection.transaction():
                row = connection.execute(
                    "update chaos.aggregates set number = number + 1 where id = %s "
                    "returning number",
                    (account,),
                ).fetchone()
                assert row is not None
                DomainEventBus.publish(connection, Posted(account, number=row[0], note="the last"))
