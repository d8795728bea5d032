"""Which version a row goes out under, by what was decided about its event type's versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from relay.publish.message import Waiting
from relay.schema.approvals.store import Decision
from relay.schema.approvals.transitions import PUBLISHABLE, advice
from relay.schema.catalog import State

__all__ = ["decided", "decided_bytes"]

# A row whose version is retired was written while that was in use, and still goes out; not so
# under one that was given up before.
_WRITTEN_UNDER: Final = PUBLISHABLE | {State.RETIRED}


def decided(event_type: str, number: int | None, known: Sequence[Decision]) -> Decision:
    """The version that a row without bytes is encoded with, by the decided text.

    number: the row's version, None where it names none and gets the active one: the newest where
    several subjects have one. known: the versions of the event type, by number. Raises Waiting for
    one that is not in use yet, that was given up, or that nobody has decided about.
    """
    if number is None:
        active = [each for each in known if each.state is State.ACTIVE]
        if not active:
            raise Waiting(
                f"event type {event_type!r} has no active schema version. "
                "Activate one: relay schemas activate"
            )
        return active[-1]
    found = next((each for each in known if each.version == number), None)
    if found is None or not _was_in_use(found):
        raise Waiting(_not_active(event_type, number, found))
    return found


def decided_bytes(
    event_type: str, number: int | None, fingerprint: bytes, known: Sequence[Decision]
) -> Decision:
    """The version that a row's bytes were encoded with.

    By the fingerprint of their schema, since the publisher's version 3 need not be the one that
    was decided about. Raises Waiting as `decided`.
    """
    same = [each for each in known if each.fingerprint == fingerprint]
    # Versions that differ by docs or logical types alone share one: then the number tells.
    meant = [each for each in same if each.version == number] or same
    if not meant:
        raise Waiting(
            f"a row of version {number} of event type {event_type!r} was encoded with a schema "
            f"that nobody has decided about, its fingerprint is {fingerprint.hex()}. Publish the "
            "event again under a version in use, or propose a version with that schema: relay "
            "schemas propose"
        )
    written_under = [each for each in meant if _was_in_use(each)]
    if not written_under:
        raise Waiting(_not_active(event_type, meant[0].version, meant[0]))
    return written_under[0]


def _was_in_use(decision: Decision) -> bool:
    """Whether rows can have been written under the version rightly: it is in use, or was once."""
    return decision.state in _WRITTEN_UNDER and not decision.given_up


def _not_active(event_type: str, number: int, found: Decision | None) -> str:
    if found is not None and found.given_up:
        return (
            f"schema version {number} of event type {event_type!r} was given up before it was in "
            "use, so what was written under it is not published. Publish it again under a version "
            "in use"
        )
    state = found.state if found is not None else None
    return (
        f"schema version {number} of event type {event_type!r} is "
        f"{state or 'not proposed'}, so not active yet. {advice(state)}"
    )
