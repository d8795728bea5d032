"""Compatibility levels and modes: of a subject, of its context, of everything."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from relay.registry import errors
from relay.registry.names import GLOBAL, is_context, scopes
from relay.registry.references import check_unreferenced
from relay.registry.store import SchemaStore
from relay.schema.compatibility.levels import Level

__all__ = ["LEVEL", "MODE", "ScopedSetting", "check_writable", "set_mode"]


@dataclass(frozen=True)
class ScopedSetting:
    """A setting that subjects, contexts and everything (the empty scope) may have.

    column: of registry.settings. default: where nothing is set.
    """

    column: str
    default: str
    values: Set[str]
    invalid: errors.ErrorKind
    not_set: errors.ErrorKind

    def of(self, store: SchemaStore, subject: str) -> str:
        """Returns what holds for `subject`: its own, its context's, the global one, the default.

        A global READONLY_OVERRIDE wins over all of them.
        """
        looked_in = scopes(subject)
        found = store.settings(self.column, looked_in)
        if found.get(GLOBAL) == "READONLY_OVERRIDE":
            return "READONLY_OVERRIDE"
        return next((found[scope] for scope in looked_in if scope in found), self.default)

    def own(self, store: SchemaStore, subject: str) -> str:
        """Returns what is set for `subject` itself; the global scope always has something.

        Raises ApiError 40408, 40409.
        """
        if subject == GLOBAL:
            return self.of(store, GLOBAL)
        if (found := store.settings(self.column, [subject]).get(subject)) is None:
            raise self.not_set(subject)
        return found

    def parse(self, value: Any) -> str:
        """Returns a value of a request, in upper case. Raises ApiError 42203, 42204."""
        # A level that is left out is not NONE.
        if not isinstance(value, str) or value.upper() not in self.values:
            raise self.invalid(value)
        return value.upper()

    def clear(self, store: SchemaStore, subject: str) -> str:
        """Removes what is set for `subject` and returns it. Raises ApiError 40401."""
        if subject != GLOBAL and subject not in store.settings(self.column, [subject]):
            raise errors.subject_not_found(subject)
        was = self.own(store, subject)
        store.set_setting(self.column, subject, None)
        return was


LEVEL = ScopedSetting(
    "compatibility", "BACKWARD", frozenset(Level), errors.invalid_level, errors.level_not_set
)
MODE = ScopedSetting(
    "mode",
    "READWRITE",
    frozenset({"READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT"}),
    errors.invalid_mode,
    errors.mode_not_set,
)


def check_writable(store: SchemaStore, subject: str) -> None:
    """Raises ApiError 42205 when the mode of `subject` lets nothing be changed."""
    if MODE.of(store, subject).startswith("READONLY"):
        what = f"Subject '{subject}'" if subject else "The registry"
        raise errors.not_permitted(f"{what} is in read-only mode")


def set_mode(store: SchemaStore, subject: str, mode: Any, *, force: bool) -> str:
    """Sets the mode of `subject`, in any case of letters.

    force: go into IMPORT although there are schemas already, whose versions may clash with those
    that are imported. Without it versions that are soft-deleted are removed to make room.
    Raises ApiError 42204, 42205, 42206.
    """
    chosen = MODE.parse(mode)
    store.lock()
    if chosen == "IMPORT" and not force and MODE.of(store, subject) != "IMPORT":
        _make_room(store, subject)
    store.set_setting(MODE.column, subject, chosen)
    return chosen


def _make_room(store: SchemaStore, scope: str) -> None:
    """Removes the soft-deleted versions of a scope, which must have no others."""
    whole = scope == GLOBAL or is_context(scope)
    versions = store.all(scope) if whole else store.subject(scope)
    if any(not found.deleted for found in versions):
        raise errors.not_permitted(
            "Cannot go into import mode, since there are schemas already; "
            "set force=true to do it all the same"
        )
    check_unreferenced(store, versions, deleted=True, besides={found.subject for found in versions})
    for found in versions:
        store.delete_forever(found.subject, [found.version])
