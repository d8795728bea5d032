"""Which text of a version may be registered."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from relay.schema.approvals.registrable import registrable
from relay.schema.approvals.store import Decision
from relay.schema.catalog import State
from tests.integration.reviewing import version

ONE = version(1, state=State.ACTIVE)
REWORDED = replace(ONE, avsc={**ONE.avsc, "doc": "in other words"}, text="in other words")


def decided(state: State, number: int = 1) -> Decision:
    given = version(number)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Decision(
        given.event_type, number, given.subject, given.fingerprint, given.text, state,
        False, "anna", at, "ben", at, "good", None,
    )  # fmt: skip


@pytest.mark.parametrize("state", [State.APPROVED, State.ACTIVE, State.DEPRECATED])
def test_what_was_approved_is_registered_with_its_own_text(state: State) -> None:
    found = registrable(REWORDED, [decided(State.PROPOSED, 2), decided(state)])
    assert not isinstance(found, str)
    assert (found.text, json.loads(found.text)) == (ONE.text, found.avsc)


@pytest.mark.parametrize(
    ("state", "advice"),
    [(State.PROPOSED, "relay schemas approve"), (State.RETIRED, "in its domain file")],
)
def test_what_is_not_approved_is_not_registered(state: State, advice: str) -> None:
    problem = registrable(ONE, [decided(state)])
    assert isinstance(problem, str)
    assert f"is {state} in the database" in problem
    assert advice in problem


def test_what_nobody_decided_about_is_not_registered() -> None:
    problem = registrable(ONE, [decided(State.ACTIVE, 2)])
    assert isinstance(problem, str)
    assert "relay schemas propose" in problem


def test_another_schema_than_the_approved_one_is_not_registered() -> None:
    problem = registrable(replace(version(2), version=1), [decided(State.ACTIVE)])
    assert isinstance(problem, str)
    assert "another schema than the one that was approved" in problem
