"""Rules on an old and a new version, over their changes: what compatibility rules don't see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from relay.schema.avro.nodes import Schema
from relay.schema.checks.change import Change, Kind
from relay.schema.checks.diff import diff
from relay.schema.checks.finding import ERROR, WARNING, LintFinding, Severity
from relay.schema.checks.words import place

__all__ = ["lint_versions"]

TIMES = ("date", "time-", "timestamp-", "local-timestamp-")
# Promotions that round whole numbers beyond a limit (IEEE 754).
ROUNDED_BEYOND = {
    ("int", "float"): "2**24",
    ("long", "float"): "2**24",
    ("long", "double"): "2**53",
}
NEW_FIELD = "Add a field with the new type beside it, or publish a new major version."


def lint_versions(old: Schema, new: Schema) -> list[LintFinding]:
    """Findings on the way from one version to the next; `new` by itself is for `lint`.

    Raises CatalogInvalid when one of them is not an Avro schema.
    """
    found = []
    changes = diff(old, new)
    for change in changes:
        for code, severity, fix in _broken(change):
            found.append(LintFinding(code, severity, change.path, change.sentence, fix))
        if change.kind is Kind.FIELD_ADDED:
            found += _rename(change, changes)
    return found


def _broken(change: Change) -> Iterator[tuple[str, Severity, str]]:
    """Rules that a change breaks: code, severity, fix. The change itself is the problem."""
    before, after = change.before, change.after
    match change.kind:
        case Kind.DECIMAL_CHANGED:
            yield from _decimal(before, after)
        case Kind.LOGICAL_TYPE_CHANGED:
            if (before or "").startswith(TIMES) and (after or "").startswith(TIMES):
                # A count of milliseconds read as microseconds is a time in January 1970.
                yield "time-unit", ERROR, NEW_FIELD
            elif (before, after) == ("uuid", None):
                # A uuid is a text like any other.
                fix = "Make sure that every consumer can handle both, or add a field beside it."
                yield "logical-type", WARNING, fix
            else:
                yield "logical-type", ERROR, NEW_FIELD
        case Kind.NAMESPACE_CHANGED:
            # Some clients compare names with their namespace, others without.
            yield "namespace", ERROR, "Keep the namespace; a new one is a new event type."
        case Kind.ENUM_DEFAULT_REMOVED:
            yield "enum-default-removed", ERROR, "Keep the default."
        case Kind.DEFAULT_CHANGED | Kind.ENUM_DEFAULT_CHANGED:
            # Readers fill in a default, so a new one changes the meaning of old events.
            fix = "Make sure that the new one is also right for events that were written without."
            yield "default-changed", WARNING, fix
        case Kind.NAME_CHANGED:
            fix = f'Add "aliases": ["{before}"] to the type, or keep the name.'
            yield "alias-missing", WARNING, fix
        case Kind.TYPE_PROMOTED if (limit := ROUNDED_BEYOND.get((before, after))) is not None:
            fix = f"Use long or a decimal: whole numbers beyond {limit} are rounded."
            yield "inexact-promotion", ERROR, fix
        case Kind.PROPERTY_CHANGED if (before or {}).get("pii") and not (after or {}).get("pii"):
            # Consumers that mask fields by this property stop masking.
            fix = "Keep the property unless the field really holds something else now."
            yield "pii-removed", WARNING, fix


def _decimal(before: dict[str, int], after: dict[str, int]) -> Iterator[tuple[str, Severity, str]]:
    if after["scale"] != before["scale"]:
        # The scale is not in the bytes: 1250 is 12.50 to one side and 0.1250 to the other.
        yield "decimal-scale", ERROR, NEW_FIELD
    if after["precision"] < before["precision"]:
        fix = "Keep the precision: clients round or refuse older events that have more digits."
        yield "decimal-precision-lowered", ERROR, fix
    if after["precision"] > before["precision"]:
        fix = (
            "Publish longer numbers only when all consumers have the new version: those on the old "
            "one round or refuse them."
        )
        yield "decimal-precision-raised", WARNING, fix


def _rename(added: Change, changes: Sequence[Change]) -> Iterator[LintFinding]:
    """One field gone and one of the same type new in the same record is most likely a rename."""
    record = added.path.rpartition(".")[0]
    for change in changes:
        if (
            change.kind is Kind.FIELD_REMOVED
            and change.path.rpartition(".")[0] == record
            and change.before["type"] == added.after["type"]
        ):
            gone = change.before["name"]
            problem = (
                f"{place(added.path)} is new and `{gone}` of the same type is gone. If that is a "
                "rename, the values of old events are lost."
            )
            fix = f'If so, add "aliases": ["{gone}"] to the field.'
            yield LintFinding("alias-missing", WARNING, added.path, problem, fix)
            return
