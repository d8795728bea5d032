"""Explains why a transition did not take place."""

from __future__ import annotations

from relay.schema.approvals.store import Decision
from relay.schema.approvals.transitions import Action, advice, transition
from relay.schema.catalog import State

__all__ = ["explain"]

_TEXT_MATTERS = frozenset({Action.APPROVE, Action.ACTIVATE})


def explain(
    action: Action,
    event_type: str,
    version: int,
    found: Decision | None,
    *,
    by: str,
    text: str | None = None,
) -> str:
    """Returns the reason and what to do.

    found: the version as it is now, None where it does not exist. text: of the schema's file, for
    transitions that depend on it.
    """
    name = f"{event_type} version {version}"
    if found is None:
        return f"{name} is not known to the database. {advice(None)}"
    if found.state is State.ACTIVE and action is not Action.RETIRE:
        # Deprecating it, as the advice for its state says, would keep SQL writers from publishing.
        return f"{name} is active already. Another text of it is a new version"
    if found.state not in transition(action).sources:
        return (
            f"{name} is {found.state}, which can't be followed by {action}. {advice(found.state)}"
        )
    if action is Action.APPROVE and found.proposer == by:
        return f"{name} was proposed by {by}. Have it approved by somebody else"
    if action in _TEXT_MATTERS and text != found.text:
        if found.state is State.DEPRECATED:
            return (
                f"{name} was in use with another text than its file has here. Check out the text "
                "that was approved; this one can only be a new version"
            )
        verb = "proposed" if found.state is State.PROPOSED else "approved"
        return (
            f"{name} was {verb} with another text than its file has here. Check out the {verb} "
            "text, or propose this one: relay schemas propose"
        )
    return f"{name} was changed by somebody else meanwhile. See: relay schemas history"
