"""Deletes versions and subjects: softly first, then for ever."""

from __future__ import annotations

from collections.abc import Sequence

from relay.registry import refusals
from relay.registry.scoped import check_writable, mode_of
from relay.registry.store import Registered, Store

__all__ = ["delete_subject", "delete_version"]


def delete_subject(store: Store, subject: str, *, permanent: bool) -> list[int]:
    """Hides all versions of a subject or, permanent, removes those that are hidden.

    Answers the version numbers. Ids stay with their texts in both cases.
    Raises Refusal 40401, 40404, 40405, 42205, 42206.
    """
    store.lock()
    check_writable(mode_of(store, subject), subject)
    versions = store.subject(subject)
    if not versions:
        raise refusals.subject_not_found(subject)
    live = [found for found in versions if not found.deleted]
    if permanent:
        if live:
            raise refusals.subject_not_soft_deleted(subject)
        _check_unreferenced(store, versions, deleted=True, besides=subject)
        numbers = [found.version for found in versions]
        store.delete_forever(subject, numbers)
        return numbers
    if not live:
        raise refusals.subject_soft_deleted(subject)
    _check_unreferenced(store, live, besides=subject)
    numbers = [found.version for found in live]
    store.soft_delete(subject, numbers)
    store.set_level(subject, None)
    store.set_mode(subject, None)
    return numbers


def delete_version(store: Store, subject: str, version: int | None, *, permanent: bool) -> int:
    """Hides a version or, permanent, removes one that is hidden. Answers its number.

    version: None for the latest live one.
    Raises Refusal 40401, 40402, 40406, 40407, 42205, 42206.
    """
    store.lock()
    check_writable(mode_of(store, subject), subject)
    versions = store.subject(subject)
    if not versions:
        raise refusals.subject_not_found(subject)
    if version is None:
        live = [found for found in versions if not found.deleted]
        if not live:
            raise refusals.subject_not_found(subject)
        version = live[-1].version
    found = next((found for found in versions if found.version == version), None)
    if found is None:
        raise refusals.version_not_found(version)
    if permanent:
        if not found.deleted:
            raise refusals.version_not_soft_deleted(subject, version)
        _check_unreferenced(store, [found], deleted=True)
        store.delete_forever(subject, [version])
        return version
    if found.deleted:
        raise refusals.version_soft_deleted(subject, version)
    _check_unreferenced(store, [found])
    store.soft_delete(subject, [version])
    return version


def _check_unreferenced(
    store: Store,
    versions: Sequence[Registered],
    *,
    deleted: bool = False,
    besides: str | None = None,
) -> None:
    """Raises Refusal 42206 when other schemas take types from one of `versions`.

    deleted: whether soft-deleted schemas count, which could not be read any more.
    besides: a subject whose schemas go at the same time.
    """
    for found in versions:
        referring = store.referencing(found.subject, found.version, deleted=deleted)
        if others := sorted({subject for subject, _ in referring} - {besides}):
            raise refusals.reference_exists(found.subject, found.version, others)
