"""Follows the references of a schema to the versions that they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from relay.registry.refusals import Refusal, invalid_schema
from relay.registry.schema import Reference
from relay.registry.store import Registered, Store

__all__ = ["latest_named", "referred_to"]

_LATEST = -1


def latest_named(store: Store, references: Sequence[Reference]) -> tuple[Reference, ...]:
    """`references` with the latest live version in place of -1. Raises Refusal 42201."""
    return tuple(
        _with_number(store, index, reference) if reference.version == _LATEST else reference
        for index, reference in enumerate(references)
    )


def referred_to(
    store: Store, references: Sequence[Reference], *, deleted: bool
) -> list[Registered]:
    """All referenced versions, each after those that it takes types from itself.

    deleted: whether soft-deleted versions may be referred to, as by schemas that already stand.
    Raises Refusal 42201 when there is no such version.
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


def _with_number(store: Store, index: int, reference: Reference) -> Reference:
    versions = [found for found in store.subject(reference.subject) if not found.deleted]
    if not versions:
        raise _missing(f"references[{index}]", reference)
    return replace(reference, version=versions[-1].version)


def _missing(path: str, reference: Reference) -> Refusal:
    version = "version" if reference.version == _LATEST else f"version {reference.version}"
    return invalid_schema(f"{path}: there is no {version} of subject '{reference.subject}'")
