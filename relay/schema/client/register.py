"""Brings the catalog's schemas to a registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from relay.errors import RelayError
from relay.schema.catalog import Catalog, SchemaVersion, State
from relay.schema.client.client import RegistryClient, RegistryRefused

__all__ = ["Registration", "register_catalog", "register_version"]

REGISTERED_STATES = frozenset({State.APPROVED, State.ACTIVE, State.DEPRECATED})


@dataclass(frozen=True, slots=True)
class Registration:
    """What became of one version. schema_id: None when refused; problem: why it was refused."""

    version: SchemaVersion
    schema_id: int | None
    new: bool = False
    problem: str | None = None


def register_catalog(
    catalog: Catalog,
    registry: RegistryClient,
    decide: Callable[[SchemaVersion], SchemaVersion | str] = lambda version: version,
) -> Iterator[Registration]:
    """Registers every approved, active and deprecated version under its subject, oldest first.

    The subject's compatibility level becomes the domain's beforehand, so that the level that
    was reviewed decides. Versions that the registry has already are left alone. A refused
    version does not keep those of other subjects from being registered; later versions of its
    own subject are not tried, since they would take its place.
    decide: gives a version as it is to be registered, or why it may not be, which keeps no other
    from it; without, the catalog alone counts. Raises RegistryUnavailable.
    """
    for domain in catalog.domains.values():
        for event_type in domain.event_types.values():
            refused: dict[str, SchemaVersion] = {}
            for version in event_type.versions.values():
                if version.state not in REGISTERED_STATES:
                    continue
                if (before := refused.get(version.subject)) is not None:
                    yield Registration(
                        version, None, problem=f"not tried, since {before.path.name} was refused"
                    )
                    continue
                decided = decide(version)
                if isinstance(decided, str):
                    yield Registration(version, None, problem=decided)
                    continue
                result = register_version(registry, decided, domain.compatibility)
                if result.problem is not None:
                    refused[version.subject] = version
                yield result


def register_version(registry: RegistryClient, version: SchemaVersion, level: str) -> Registration:
    """Registers one version under its subject, whose compatibility level becomes `level`.

    Nothing happens where the registry has it. Raises RegistryUnavailable.
    """
    try:
        if registry.compatibility(version.subject) != level:
            registry.set_compatibility(version.subject, level)
        if (found := registry.lookup(version.subject, version.text)) is not None:
            return Registration(version, int(found["id"]))
        return Registration(version, registry.register(version.subject, version.text), new=True)
    except RegistryRefused as refusal:
        return Registration(version, None, problem=_reason(refusal, level))


def _reason(refusal: RelayError, level: str) -> str:
    if isinstance(refusal, RegistryRefused) and refusal.code in (409, 40901):
        return f"incompatible under {level}: {refusal.problem}"
    return str(refusal)
