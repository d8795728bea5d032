"""Deletes versions and subjects: softly first, then forever."""

from __future__ import annotations

from relay.registry import errors
from relay.registry.references import check_unreferenced
from relay.registry.settings import LEVEL, MODE, check_writable
from relay.registry.store import Registered, SchemaStore

__all__ = ["delete_subject", "delete_version"]


def delete_subject(store: SchemaStore, subject: str, *, permanent: bool) -> list[int]:
    """Hides all versions of a subject or, permanent, removes those that are hidden.

    Returns the version numbers. Ids keep their texts in both cases.
    Raises ApiError 40401, 40404, 40405, 42205, 42206.
    """
    versions = _versions_to_delete(store, subject)
    live = [found for found in versions if not found.deleted]
    if permanent:
        if live:
            raise errors.subject_not_soft_deleted(subject)
        check_unreferenced(store, versions, deleted=True, besides={subject})
        numbers = [found.version for found in versions]
        store.delete_forever(subject, numbers)
        return numbers
    if not live:
        raise errors.subject_soft_deleted(subject)
    check_unreferenced(store, live, besides={subject})
    numbers = [found.version for found in live]
    store.soft_delete(subject, numbers)
    for setting in (LEVEL, MODE):
        store.set_setting(setting.column, subject, None)
    return numbers


def delete_version(
    store: SchemaStore, subject: str, version: int | None, *, permanent: bool
) -> int:
    """Hides a version or, permanent, removes one that is hidden. Returns its number.

    version: None for the latest live one.
    Raises ApiError 40401, 40402, 40406, 40407, 42205, 42206.
    """
    versions = _versions_to_delete(store, subject)
    if version is None:
        live = [found for found in versions if not found.deleted]
        if not live:
            raise errors.subject_not_found(subject)
        version = live[-1].version
    found = next((found for found in versions if found.version == version), None)
    if found is None:
        raise errors.version_not_found(version)
    if permanent and not found.deleted:
        raise errors.version_not_soft_deleted(subject, version)
    if found.deleted and not permanent:
        raise errors.version_soft_deleted(subject, version)
    check_unreferenced(store, [found], deleted=permanent)
    delete = store.delete_forever if permanent else store.soft_delete
    delete(subject, [version])
    return version


def _versions_to_delete(store: SchemaStore, subject: str) -> list[Registered]:
    """All versions of a subject, with the lock held. Raises ApiError 40401, 42205."""
    store.lock()
    check_writable(store, subject)
    versions = store.subject(subject)
    if not versions:
        raise errors.subject_not_found(subject)
    return versions
