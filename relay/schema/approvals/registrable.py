"""Which text of a version may be registered: the one that was approved, whatever its file says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from relay.schema.approvals.store import Decision
from relay.schema.approvals.transitions import advice
from relay.schema.catalog import SchemaVersion, State

__all__ = ["registrable"]

_APPROVED: Final = frozenset({State.APPROVED, State.ACTIVE, State.DEPRECATED})


def registrable(version: SchemaVersion, known: Sequence[Decision]) -> SchemaVersion | str:
    """The version with the text that was approved; or why it may not be registered.

    known: what was decided about its event type. A file that differs from the approved text by
    what no fingerprint tells (docs, defaults, logical types) is passed over for that text.
    """
    found = next((each for each in known if each.version == version.version), None)
    if found is None:
        return f"it is not known to the database, so nobody has approved it. {advice(None)}"
    if found.state is State.RETIRED:
        return "it is retired in the database, and so not registered. List it so in its domain file"
    if found.state not in _APPROVED:
        return f"it is {found.state} in the database, and so not registered. {advice(found.state)}"
    if found.fingerprint != version.fingerprint:
        return (
            "its file has another schema than the one that was approved. Check out the approved "
            "text, or propose a new version"
        )
    return replace(version, text=found.text, avsc=found.avsc)
