"""Compatibility levels and modes: of a subject, of its context, of everything."""

from __future__ import annotations

from typing import Any

from relay.registry import refusals
from relay.registry.names import GLOBAL, is_context, scopes
from relay.registry.store import Store
from relay.schema.compatibility.levels import Level

__all__ = [
    "check_writable",
    "clear_level",
    "clear_mode",
    "level_of",
    "mode_of",
    "own_level",
    "own_mode",
    "set_level",
    "set_mode",
]

MODES = frozenset({"READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT"})


def level_of(store: Store, subject: str) -> Level:
    """The level that holds for `subject`: its own, its context's, the global one, BACKWARD."""
    looked_in = scopes(subject)
    found = store.levels(looked_in)
    return Level(next((found[scope] for scope in looked_in if scope in found), Level.BACKWARD))


def mode_of(store: Store, subject: str) -> str:
    """The mode that holds for `subject`: its own, its context's, the global one, READWRITE.

    A global READONLY_OVERRIDE wins over all of them.
    """
    looked_in = scopes(subject)
    found = store.modes(looked_in)
    if found.get(GLOBAL) == "READONLY_OVERRIDE":
        return "READONLY_OVERRIDE"
    return next((found[scope] for scope in looked_in if scope in found), "READWRITE")


def check_writable(mode: str, subject: str) -> None:
    """Raises Refusal 42205 when `mode` lets nothing be changed."""
    if mode.startswith("READONLY"):
        what = f"Subject '{subject}'" if subject else "The registry"
        raise refusals.not_permitted(f"{what} is in read-only mode")


def own_level(store: Store, subject: str) -> Level:
    """The level that `subject` itself has got; the global scope always has one.

    Raises Refusal 40408.
    """
    if subject == GLOBAL:
        return level_of(store, GLOBAL)
    if (found := store.levels([subject]).get(subject)) is None:
        raise refusals.level_not_set(subject)
    return Level(found)


def own_mode(store: Store, subject: str) -> str:
    """The mode that `subject` itself has got; the global scope always has one.

    Raises Refusal 40409.
    """
    if subject == GLOBAL:
        return mode_of(store, GLOBAL)
    if (found := store.modes([subject]).get(subject)) is None:
        raise refusals.mode_not_set(subject)
    return found


def set_level(store: Store, subject: str, level: Any) -> Level:
    """Sets the level of `subject`, in any case of letters. Raises Refusal 42203, 42205."""
    # NONE must be asked for in words: a level left out is not one.
    if not isinstance(level, str) or level.upper() not in set(Level):
        raise refusals.invalid_level(level)
    chosen = Level(level.upper())
    store.lock()
    check_writable(mode_of(store, subject), subject)
    store.set_level(subject, chosen)
    return chosen


def set_mode(store: Store, subject: str, mode: Any, *, force: bool) -> str:
    """Sets the mode of `subject`, in any case of letters.

    force: go into IMPORT although there are schemas already, whose versions may clash with what
    comes in. Without it versions that are soft-deleted make room for what comes in.
    Raises Refusal 42204, 42205, 42206.
    """
    chosen = str(mode).upper()
    if chosen not in MODES:
        raise refusals.invalid_mode(mode)
    store.lock()
    if chosen == "IMPORT" and not force and mode_of(store, subject) != "IMPORT":
        _make_room(store, subject)
    store.set_mode(subject, chosen)
    return chosen


def clear_level(store: Store, subject: str) -> Level:
    """Takes the level of `subject` away and answers what it was. Raises Refusal 40401, 42205."""
    store.lock()
    check_writable(mode_of(store, subject), subject)
    if subject != GLOBAL and subject not in store.levels([subject]):
        raise refusals.subject_not_found(subject)
    was = own_level(store, subject)
    store.set_level(subject, None)
    return was


def clear_mode(store: Store, subject: str) -> str:
    """Takes the mode of `subject` away and answers what it was. Raises Refusal 40401."""
    store.lock()
    if subject != GLOBAL and subject not in store.modes([subject]):
        raise refusals.subject_not_found(subject)
    was = own_mode(store, subject)
    store.set_mode(subject, None)
    return was


def _make_room(store: Store, scope: str) -> None:
    """Removes the soft-deleted versions of a scope, which must have no others."""
    whole = scope == GLOBAL or is_context(scope)
    versions = store.all(scope) if whole else store.subject(scope)
    if any(not found.deleted for found in versions):
        raise refusals.not_permitted(
            "Cannot go into import mode, since there are schemas already; "
            "set force=true to do it all the same"
        )
    leaving = {found.subject for found in versions}
    for found in versions:
        referring = store.referencing(found.subject, found.version, deleted=True)
        if others := sorted({subject for subject, _ in referring} - leaving):
            raise refusals.reference_exists(found.subject, found.version, others)
    for found in versions:
        store.delete_forever(found.subject, [found.version])
