"""The checker of chaos runs finds each thing that can be wrong, and nothing else."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import evidence as evidence_module
from tests.chaos import fates, verdict
from tests.chaos.evidence import DeadLetter, Effect, Evidence, Record, Row
from tests.chaos.fates import fate_of
from tests.chaos.verdict import QUESTIONS, judge

TOPIC = "events.accounts"
COPY_EACH = 1_000
# An account with an event that fails for good in the ledger, after some that do not.
ACCOUNT, DOOMED = next(
    (name, number)
    for name in (f"a{n}" for n in range(100))
    for number in range(4, 30)
    if fate_of(name, number).group == "ledger"
    and fate_of(name, number).is_doomed
    and not any(fate_of(name, n).is_doomed for n in range(number))
)


def row(number: int, **more: Any) -> Row:
    made = Row(
        event_id=f"e{number}", seq=number, event_type="posted", aggregate_type="account",
        aggregate_id=ACCOUNT, number=number, of=None, causation_id=None,
        topic=TOPIC, partition=0, offset=number * 2, is_dead=False,
    )  # fmt: skip
    return made._replace(**more)


def record(number: int, **more: Any) -> Record:
    made = Record(
        topic=TOPIC, partition=0, offset=number * 2, key=ACCOUNT, event_id=f"e{number}",
        event_type="posted", aggregate_type="account", subject=ACCOUNT, sequence=number,
        number=number,
    )  # fmt: skip
    return made._replace(**more)


def effect(group: str, number: int, **more: Any) -> Effect:
    made = Effect(group, f"e{number}", ACCOUNT, number, TOPIC, 0, number * 2)
    return made._replace(**more)


def letter(outcome: str) -> DeadLetter:
    return DeadLetter("ledger", f"e{DOOMED}", outcome, TOPIC, 0, DOOMED * 2)


def sound() -> Evidence:
    """What a run leaves behind in which all is well; the doomed event is acted on last."""
    numbers = range(1, DOOMED + 1)
    dead = frozenset({(f"e{DOOMED}", "ledger")})
    return Evidence(
        rows=[row(number) for number in numbers],
        records=[record(number) for number in numbers],
        effects=[effect(group, number) for group in ("mirror", "ledger") for number in numbers],
        dead_letters=[letter("dead"), letter("resolved")],
        committed=frozenset(f"e{number}" for number in numbers),
        rolled_back=frozenset({"never"}),
        unread=[],
        resolved=dead,
        dead=frozenset(),
        dead_before=dead,
        fixed_after=DOOMED,
        parked=0,
    )


def without(items: Any, number: int) -> list[Any]:
    return [item for item in items if item.event_id != f"e{number}"]


def twice(items: Any, again: Any) -> list[Any]:
    return sorted([*items, again], key=lambda item: item.offset)


def swapped(items: Any, one: int, other: int) -> list[Any]:
    changed = list(items)
    changed[one], changed[other] = changed[other], changed[one]
    return changed


FAULTS: dict[str, Callable[[Evidence], Evidence]] = {
    "lost": lambda e: replace(e, records=without(e.records, 2)),
    "twice": lambda e: replace(e, records=twice(e.records, record(2, offset=7))),
    "twice without a marker": lambda e: replace(
        e, records=twice(e.records, record(2, offset=5))
    ),
    "phantom": lambda e: replace(e, rows=without(e.rows, 2), committed=frozenset()),
    "out of order": lambda e: replace(e, records=swapped(e.records, 1, 2)),
    "wrong content": lambda e: replace(e, records=[*e.records[:-1], record(DOOMED, key="other")]),
    "torn key": lambda e: replace(e, records=[*e.records[:-1], record(DOOMED, partition=1)]),
    "hanging": lambda e: replace(e, unread=["events.accounts[0]"]),
    "wrong flags": lambda e: replace(e, rows=[*e.rows[:-1], row(DOOMED, offset=None)]),
    "effect missing": lambda e: replace(e, effects=e.effects[1:]),
    "effect twice": lambda e: replace(e, effects=[e.effects[0], *e.effects]),
    "effect out of order": lambda e: replace(e, effects=swapped(e.effects, 1, 2)),
    "effect of nothing": lambda e: replace(
        e, effects=[*e.effects, effect("mirror", DOOMED, event_id="other")]
    ),
    "effect of the uncommitted": lambda e: replace(
        e, effects=[effect("mirror", 1, offset=1), *e.effects[1:]]
    ),
    "copy missing": lambda e: replace(
        e, rows=[*e.rows[:-1], row(DOOMED, of="e1", causation_id="e1")]
    ),
    "dead for nothing": lambda e: replace(e, dead_before=e.dead_before | {("e1", "mirror")}),
    "not dead": lambda e: replace(e, dead_before=frozenset()),
    "dead still": lambda e: replace(e, resolved=frozenset()),
    "dead letter missing": lambda e: replace(e, dead_letters=[letter("dead")]),
    "parked still": lambda e: replace(e, parked=1),
    "forgotten": lambda e: replace(e, committed=e.committed | {"gone"}),
    "revived": lambda e: replace(e, rolled_back=frozenset({"e1"})),
}  # fmt: skip


def questions(evidence: Evidence) -> set[str]:
    return {finding.question for finding in judge(evidence, COPY_EACH)}


def test_where_all_is_well_nothing_is_found() -> None:
    assert questions(sound()) == set()


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_wrong_is_found(question: str) -> None:
    assert question in questions(FAULTS[question](sound()))


def test_an_event_that_is_written_once_the_handlers_are_fixed_fails_in_none() -> None:
    found = replace(sound(), fixed_after=DOOMED - 1, dead_letters=[], dead_before=frozenset())
    assert questions(found) == set()


def test_the_effect_of_a_replay_may_come_late() -> None:
    found = sound()
    late = [e for e in found.effects if (e.group, e.number) == ("ledger", DOOMED)]
    others = [e for e in found.effects if e not in late]
    assert questions(replace(found, effects=[*others, *late])) == set()


@pytest.mark.parametrize("module", [evidence_module, verdict, fates])
def test_the_checker_imports_nothing_of_the_relay(module: Any) -> None:
    nodes = list(ast.walk(ast.parse(Path(module.__file__).read_text())))
    names = {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}
    names |= {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    allowed = {"tests.chaos.evidence", "tests.chaos.fates"}
    assert not {name for name in names if name.split(".")[0] in ("relay", "tests")} - allowed
