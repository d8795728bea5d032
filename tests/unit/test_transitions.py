"""Which transition a schema version may make, and the message when it may not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.schema.approvals.explain import explain
from relay.schema.approvals.store import Decision
from relay.schema.approvals.transitions import Action, advice, transition
from relay.schema.catalog import State

ACTIONS = [action for action in Action if action is not Action.ADOPT]
ALLOWED = {
    (None, Action.PROPOSE),
    (State.PROPOSED, Action.PROPOSE),
    (State.PROPOSED, Action.APPROVE),
    (State.PROPOSED, Action.RETIRE),
    (State.APPROVED, Action.PROPOSE),
    (State.APPROVED, Action.ACTIVATE),
    (State.APPROVED, Action.RETIRE),
    (State.ACTIVE, Action.DEPRECATE),
    (State.DEPRECATED, Action.ACTIVATE),
    (State.DEPRECATED, Action.DEPRECATE),
    (State.DEPRECATED, Action.RETIRE),
}


def decided(state: State, **more: object) -> Decision:
    decision = Decision(
        event_type="order.paid",
        version=2,
        subject="events.orders-OrderPaid",
        fingerprint=bytes(8),
        logical_digest=bytes(32),
        text="{}",
        state=state,
        adopted=False,
        proposer="anna",
        proposed_at=datetime(2026, 1, 1, tzinfo=UTC),
        approver=None,
        approved_at=None,
        reason=None,
        sunset=None,
    )
    return replace(decision, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("state", [None, *State])
def test_a_transition_starts_only_from_the_states_of_the_diagram(
    state: State | None, action: Action
) -> None:
    assert (state in transition(action).sources) == ((state, action) in ALLOWED)


@given(st.lists(st.sampled_from(ACTIONS)))
def test_nothing_is_published_that_was_not_approved_and_retired_is_the_end(
    actions: list[Action],
) -> None:
    state: State | None = None
    approved = False
    for action in actions:
        rule = transition(action)
        if state not in rule.sources:
            continue
        assert state is not State.RETIRED
        state = rule.target
        if action is Action.APPROVE:
            approved = True
        elif action is Action.PROPOSE:
            approved = False
        assert approved or not (state and state.is_publishable)


@pytest.mark.parametrize("state", [None, *State])
def test_every_state_has_advice(state: State | None) -> None:
    assert advice(state)


@pytest.mark.parametrize(
    ("action", "found", "words"),
    [
        (Action.APPROVE, None, ["not known", "relay schemas propose"]),
        (Action.APPROVE, decided(State.PROPOSED), ["proposed by anna", "somebody else"]),
        (
            Action.APPROVE,
            decided(State.PROPOSED, proposer="ben", text="other"),
            ["proposed with another text", "Check out"],
        ),
        (
            Action.ACTIVATE,
            decided(State.APPROVED, text="other"),
            ["approved with another text", "relay schemas propose"],
        ),
        (Action.ACTIVATE, decided(State.PROPOSED), ["is proposed", "relay schemas approve"]),
        (
            Action.ACTIVATE,
            decided(State.DEPRECATED, text="other"),
            ["in use with another text", "Check out the text that was approved"],
        ),
        (Action.RETIRE, decided(State.ACTIVE), ["is active", "relay schemas deprecate"]),
        (Action.DEPRECATE, decided(State.RETIRED), ["is retired", "new version"]),
        (Action.RETIRE, decided(State.DEPRECATED), ["somebody else meanwhile"]),
    ],
)
def test_a_refusal_has_the_reason_and_what_to_do(
    action: Action, found: Decision | None, words: list[str]
) -> None:
    message = explain(action, "order.paid", 2, found, by="anna", text="{}")
    assert message.startswith("order.paid version 2 ")
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize("action", [Action.PROPOSE, Action.APPROVE, Action.ACTIVATE])
def test_repeating_a_step_does_not_advise_to_deprecate_what_is_active(action: Action) -> None:
    message = explain(action, "order.paid", 2, decided(State.ACTIVE), by="anna", text="{}")
    assert "active already" in message
    assert "deprecate" not in message


def test_going_back_with_another_text_does_not_advise_to_propose_it() -> None:
    found = decided(State.DEPRECATED, text="other")
    assert "relay schemas propose" not in explain(
        Action.ACTIVATE, "order.paid", 2, found, by="anna", text="{}"
    )
