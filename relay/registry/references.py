"""Follows references between schemas, in both directions."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace

from relay.registry import errors
from relay.registry.errors import ApiError
from relay.registry.schema import Reference
from relay.registry.store import Registered, SchemaStore

__all__ = ["check_unreferenced", "latest_named", "referred_to"]

_LATEST = -1


def latest_named(store: SchemaStore, references: Sequence[Reference]) -> tuple[Reference, ...]:
    """Returns `references` with the latest live version in place of -1. Raises ApiError 42201."""
    return tuple(
        _with_number(store, index, reference) if reference.version == _LATEST else reference
        for index, reference in enumerate(references)
    )


def referred_to(
    store: SchemaStore, references: Sequence[Reference], *, deleted: bool
) -> list[Registered]:
    """Lists all referenced versions, each after those that it takes types from itself.

    deleted: soft-deleted versions may be referred to, as by schemas that are registered already.
    Raises ApiError 42201 when there is no such version.
    """
    versions: dict[tuple[str, int], Registered] = {}

    def collect(wanted: Sequence[Reference], via: str) -> None:
        for index, reference in enumerate(wanted):
            key = (reference.subject, reference.version)
            if key in versions:
                continue
            found = store.version(reference.subject, reference.version)
            if found is None or (found.deleted and not deleted):
                raise _missing(f"{via}references[{index}]", reference)
            collect(found.references, f"{via}references[{index}].")
            versions[key] = found

    collect(references, "")
    return list(versions.values())


def check_unreferenced(
    store: SchemaStore,
    versions: Sequence[Registered],
    *,
    deleted: bool = False,
    besides: Set[str] = frozenset(),
) -> None:
    """Raises ApiError 42206 when other schemas take types from one of `versions`.

    deleted: soft-deleted schemas count, too, which could not be read any more.
    besides: subjects whose schemas go at the same time.
    """
    for found in versions:
        referring = store.referencing(found.subject, found.version, deleted=deleted)
        if others := sorted({subject for subject, _ in referring} - besides):
            raise errors.reference_exists(found.subject, found.version, ", ".join(others))


def _with_number(store: SchemaStore, index: int, reference: Reference) -> Reference:
    versions = store.live(reference.subject)
    if not versions:
        raise _missing(f"references[{index}]", reference)
    return replace(reference, version=versions[-1].version)


def _missing(path: str, reference: Reference) -> ApiError:
    version = "version" if reference.version == _LATEST else f"version {reference.version}"
    return errors.invalid_schema(f"{path}: there is no {version} of subject '{reference.subject}'")
