"""Rules for the transitions of a schema version: which action may follow which state.

The state diagram is in docs/reviewing.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from relay.schema.catalog import State

__all__ = ["Action", "Transition", "advice", "transition"]


class Action(StrEnum):
    """What a person does to a version. ADOPT is also done by `relay migrate`, once."""

    ADOPT = "adopt"
    PROPOSE = "propose"
    APPROVE = "approve"
    ACTIVATE = "activate"
    DEPRECATE = "deprecate"
    RETIRE = "retire"


@dataclass(frozen=True, slots=True)
class Transition:
    """sources: states that it starts from; None stands for a version that does not exist yet."""

    sources: frozenset[State | None]
    target: State

    @property
    def states(self) -> list[str]:
        """The sources other than None, as a parameter for SQL."""
        return sorted(state for state in self.sources if state is not None)


_TRANSITIONS: Final = {
    # A text that changes after its approval has to be approved again.
    Action.PROPOSE: Transition(frozenset({None, State.PROPOSED, State.APPROVED}), State.PROPOSED),
    Action.APPROVE: Transition(frozenset({State.PROPOSED}), State.APPROVED),
    # From deprecated: the way back when the version that followed was a mistake.
    Action.ACTIVATE: Transition(frozenset({State.APPROVED, State.DEPRECATED}), State.ACTIVE),
    # From deprecated: another sunset date.
    Action.DEPRECATE: Transition(frozenset({State.ACTIVE, State.DEPRECATED}), State.DEPRECATED),
    # From proposed and approved: a proposal that is withdrawn.
    Action.RETIRE: Transition(
        frozenset({State.PROPOSED, State.APPROVED, State.DEPRECATED}), State.RETIRED
    ),
}

_ADVICE: Final = {
    None: "Propose it first: relay schemas propose",
    State.PROPOSED: "Have it approved by somebody else: relay schemas approve",
    State.APPROVED: "Activate it: relay schemas activate",
    State.ACTIVE: "Deprecate it first: relay schemas deprecate",
    State.DEPRECATED: "Activate it again (relay schemas activate) or retire it",
    State.RETIRED: "Retired is for good: propose a new version",
}


def transition(action: Action) -> Transition:
    """Returns the transition of an action. Raises KeyError for ADOPT, which starts a history."""
    return _TRANSITIONS[action]


def advice(state: State | None) -> str:
    """Returns what can be done with a version in this state; None: it does not exist."""
    return _ADVICE[state]
