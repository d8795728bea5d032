"""The report of a run: one screen."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from itertools import zip_longest

from tests.chaos.fates import GROUPS
from tests.chaos.injector import Done
from tests.chaos.plan import Fault
from tests.chaos.run import Outcome
from tests.chaos.verdict import QUESTIONS

__all__ = ["describe_plan", "report"]

_CELL = 58


def describe_plan(plan: Sequence[Fault]) -> str:
    """One line a fault."""
    return "\n".join(
        f"{fault.at:6.1f} s  {fault.kind}" + (f" for {fault.seconds} s" if fault.seconds else "")
        for fault in plan
    )


def report(outcome: Outcome, seed: int) -> str:
    """Counts, recovery times by kind of fault, and what was found."""
    found = outcome.evidence
    effects = {group: sum(effect.group == group for effect in found.effects) for group in GROUPS}
    lines = [
        f"seed {seed}: {len(outcome.done)} faults of "
        f"{len({done.fault.kind for done in outcome.done})} kinds",
        f"{len(found.rows):,} events, {len(found.records):,} records, "
        + ", ".join(f"{count:,} effects of {group}" for group, count in effects.items()),
        f"{len(found.dead_before)} dead letters, {len(found.resolved)} resolved by their replay; "
        f"{len(found.rolled_back):,} events rolled back",
        f"idle {_seconds(outcome.idle_after)} after the last fault, dead letters resolved "
        f"{_seconds(outcome.resolved_after)} after their replay",
        "",
        "Seconds from a fault's end until every event written before it was published, and until",
        "all groups had acted on it (number of faults; median/greatest):",
        *_recovery(outcome.done),
        "",
    ]
    lines += [f"operator: {line} (asked for by a worker, H55)" for line in outcome.aborted]
    lines += [f"process: {crash} (a native library, not counted)" for crash in outcome.crashes]
    for finding in outcome.findings:
        lines.append(f"{finding.count:6} {finding.question}: {QUESTIONS[finding.question]}")
        lines += [f"         {example}" for example in finding.examples]
    lines += [f"problem: {problem}" for problem in outcome.problems]
    if outcome.is_sound:
        lines.append(
            "0 lost, 0 twice, 0 out of order; each effect once, in order; all flags are right; "
            "every dead letter is resolved."
        )
    else:
        lines.append(f"NOT SOUND. The same plan again: make chaos SEED={seed}")
    return "\n".join(lines)


def _recovery(done: Sequence[Done]) -> list[str]:
    kinds: dict[str, list[Done]] = defaultdict(list)
    for one in done:
        kinds[one.fault.kind].append(one)
    cells = [
        f"{kind:25} {len(all_):2}  {_spread([one.published for one in all_]):>11}"
        f"  {_spread([one.settled for one in all_]):>11}"
        for kind, all_ in sorted(kinds.items())
    ]
    half = (len(cells) + 1) // 2
    return [
        f"{left:{_CELL}}{right}".rstrip()
        for left, right in zip_longest(cells[:half], cells[half:], fillvalue="")
    ]


def _spread(times: Sequence[float | None]) -> str:
    known = [time for time in times if time is not None]
    if len(known) < len(times):
        return "never"
    return f"{statistics.median(known):.1f}/{max(known):.1f}"


def _seconds(time: float | None) -> str:
    return "not" if time is None else f"{time:.1f} s"
