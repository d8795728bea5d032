"""Rules on an old and a new version, over their changes: what compatibility rules are blind to.

A rule is a function from a change among all changes to its objection, and a line of RULES.
"""

from __future__ import annotations

from dataclasses import dataclass

from relay.schema.checks.change import Change, Kind
from relay.schema.checks.finding import Objection, Rule, Severity
from relay.schema.checks.words import place

__all__ = ["RULES", "Changed"]

TIMES = ("date", "time-", "timestamp-", "local-timestamp-")
# The digits of a whole number up to which each type is exact (IEEE 754).
EXACT = {"float": "2**24", "double": "2**53"}
NEW_FIELD = "Add a field with the new type beside it, or publish a new major version."


@dataclass(frozen=True)
class Changed:
    """A change with those around it."""

    change: Change
    all: tuple[Change, ...]


def decimal_scale(at: Changed) -> Objection | None:
    """The scale is not in the bytes: 1250 is 12.50 to one side and 0.1250 to the other."""
    change = at.change
    if change.kind is not Kind.DECIMAL_CHANGED or change.before["scale"] == change.after["scale"]:
        return None
    return Objection(
        f"{place(change.path)} has {change.after['scale']} decimal places instead of "
        f"{change.before['scale']}; the bytes are the same, so amounts are off by a power of ten.",
        NEW_FIELD,
    )


def decimal_precision_lowered(at: Changed) -> Objection | None:
    """Readers round or refuse what has more digits than they know."""
    change = at.change
    if change.kind is not Kind.DECIMAL_CHANGED:
        return None
    before, after = change.before["precision"], change.after["precision"]
    if after >= before:
        return None
    return Objection(
        f"{place(change.path)} has {after} digits instead of {before}; older events may have more, "
        "which clients round or refuse.",
        "Keep the precision.",
    )


def decimal_precision_raised(at: Changed) -> Objection | None:
    """The same for readers of the old version."""
    change = at.change
    if change.kind is not Kind.DECIMAL_CHANGED:
        return None
    before, after = change.before["precision"], change.after["precision"]
    if after <= before:
        return None
    return Objection(
        f"{place(change.path)} has {after} digits instead of {before}; consumers of the old "
        "version round or refuse what has more.",
        "Publish longer numbers only when all consumers have the new version.",
    )


def time_unit(at: Changed) -> Objection | None:
    """A count of milliseconds read as microseconds is a time in January 1970."""
    change = at.change
    if change.kind is not Kind.LOGICAL_TYPE_CHANGED:
        return None
    if not (_is_time(change.before) and _is_time(change.after)):
        return None
    return Objection(
        f"{place(change.path)} is {change.after} instead of {change.before}; the number is the "
        "same, so each side reads the other's as another time.",
        NEW_FIELD,
    )


def logical_type(at: Changed) -> Objection | None:
    """Other logical types that came, went or changed."""
    change = at.change
    if change.kind is not Kind.LOGICAL_TYPE_CHANGED or time_unit(at) is not None:
        return None
    before, after = change.before or "no logical type", change.after or "no logical type"
    return Objection(
        f"{place(change.path)} has {after} instead of {before}; consumers get values of another "
        "type or meaning from the same bytes.",
        "Make sure that every consumer knows, or add a field beside it.",
    )


def namespace(at: Changed) -> Objection | None:
    """Some clients compare names without their namespace, others do not; subjects do not."""
    if at.change.kind is not Kind.NAMESPACE_CHANGED:
        return None
    return Objection(
        f"The namespace is {at.change.after or '(none)'} instead of "
        f"{at.change.before or '(none)'}: another subject, and another type to strict readers.",
        "Keep the namespace; a new one is a new event type.",
    )


def enum_default_removed(at: Changed) -> Objection | None:
    """The default is what lets a reader live with later symbols."""
    if at.change.kind is not Kind.ENUM_DEFAULT_REMOVED:
        return None
    return Objection(
        f"The enum of {place(at.change.path)} lost its default {at.change.before}; readers fail on "
        "every symbol that they do not know.",
        "Keep the default.",
    )


def default_changed(at: Changed) -> Objection | None:
    """A default is filled in when reading, so a new one changes what old events say."""
    if at.change.kind not in {Kind.DEFAULT_CHANGED, Kind.ENUM_DEFAULT_CHANGED}:
        return None
    return Objection(
        f"{place(at.change.path)} has another default, which changes what old events say about it.",
        "Make sure that the new value is also right for events that were written without one.",
    )


def alias_missing(at: Changed) -> Objection | None:
    """One field gone and one of the same type new in the same record is most likely a rename."""
    change = at.change
    if change.kind is Kind.NAME_CHANGED:
        return Objection(
            f"{change.after} was {change.before}, and no alias says so.",
            f'Add "aliases": ["{change.before}"] to the type, or keep the name.',
        )
    if change.kind is not Kind.FIELD_ADDED:
        return None
    gone = [
        other.before["name"]
        for other in at.all
        if other.kind is Kind.FIELD_REMOVED
        and _parent(other.path) == _parent(change.path)
        and other.before["type"] == change.after["type"]
    ]
    if not gone:
        return None
    return Objection(
        f"{place(change.path)} is new and `{gone[0]}` of the same type is gone. If that is a "
        "rename, the values of old events are lost.",
        f'If so, add "aliases": ["{gone[0]}"] to the field.',
    )


def inexact_promotion(at: Changed) -> Objection | None:
    """A promotion that the rules allow and that changes large numbers."""
    change = at.change
    if change.kind is not Kind.TYPE_PROMOTED:
        return None
    if change.before not in {"int", "long"} or change.after not in EXACT:
        return None
    if (change.before, change.after) == ("int", "double"):
        return None
    return Objection(
        f"{place(change.path)} is {change.after} instead of {change.before}; whole numbers beyond "
        f"{EXACT[change.after]} are rounded.",
        "Use long or a decimal.",
    )


def pii_removed(at: Changed) -> Objection | None:
    """Whoever masks by the property stops masking."""
    change = at.change
    if change.kind is not Kind.PROPERTY_CHANGED or "pii" not in (change.before or {}):
        return None
    before, after = change.before["pii"], (change.after or {}).get("pii", False)
    if not before or after:
        return None
    return Objection(
        f"{place(change.path)} is not marked as personal data any more.",
        "Keep the property unless the field really holds something else now.",
    )


def _is_time(logical: str | None) -> bool:
    return logical is not None and logical.startswith(TIMES)


def _parent(path: str) -> str:
    return path.rpartition(".")[0]


RULES: tuple[Rule[Changed], ...] = (
    Rule("decimal-scale", Severity.ERROR, decimal_scale),
    Rule("decimal-precision-lowered", Severity.ERROR, decimal_precision_lowered),
    Rule("decimal-precision-raised", Severity.WARNING, decimal_precision_raised),
    Rule("time-unit", Severity.ERROR, time_unit),
    Rule("logical-type", Severity.WARNING, logical_type),
    Rule("namespace", Severity.ERROR, namespace),
    Rule("enum-default-removed", Severity.ERROR, enum_default_removed),
    Rule("default-changed", Severity.WARNING, default_changed),
    Rule("alias-missing", Severity.WARNING, alias_missing),
    Rule("inexact-promotion", Severity.WARNING, inexact_promotion),
    Rule("pii-removed", Severity.WARNING, pii_removed),
)
