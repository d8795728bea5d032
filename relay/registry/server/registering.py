"""Registers a schema under a subject, finds it there, and says what it goes with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from avro.schema import Schema

from relay.registry.server import refusals
from relay.registry.server.compatibility import problems
from relay.registry.server.schema import Reference, candidate_ids, compact, digest, parse
from relay.registry.server.scoped import check_writable, level_of, mode_of
from relay.registry.server.store import Registered, Store

__all__ = ["Proposed", "disagreements", "find", "live_versions", "register"]


@dataclass(frozen=True, slots=True)
class Proposed:
    """A schema as a request brings it.

    schema_id, version: only while importing, where they are the source registry's.
    """

    text: str
    references: tuple[Reference, ...] = ()
    schema_id: int | None = None
    version: int | None = None


def register(store: Store, subject: str, proposed: Proposed) -> int:
    """Puts a schema under the next version of `subject` and answers its id.

    A schema that already stands there keeps its version, whatever the mode.
    Raises Refusal 409 (does not go with earlier versions), 42201, 42205.
    """
    text, wanted = _canonical(proposed)
    if proposed.schema_id is None and (known := _live(store.subject(subject), wanted)):
        return known.schema_id
    schema = parse(text, _texts_of(store, proposed.references))
    store.lock()
    versions = store.subject(subject)
    if known := _live(versions, wanted):
        if proposed.schema_id not in (None, known.schema_id):
            raise refusals.not_permitted(
                f"The schema already has the id {known.schema_id} under subject '{subject}'"
            )
        return known.schema_id
    mode = mode_of(store, subject)
    check_writable(mode, subject)
    if mode == "IMPORT":
        return _import(store, subject, proposed, versions)
    if proposed.schema_id is not None:
        raise refusals.not_permitted(f"Subject '{subject}' is not in import mode")
    if reasons := problems(level_of(store, subject), schema, _parsed(store, versions)):
        raise refusals.incompatible(subject, reasons)
    schema_id = _give_id(store, text, wanted, proposed.references)
    store.add_version(subject, _next_version(versions), schema_id)
    return schema_id


def find(store: Store, subject: str, proposed: Proposed, *, deleted: bool = False) -> Registered:
    """The version of `subject` that has this text.

    deleted: whether soft-deleted versions count.
    Raises Refusal 40401, 40403, 42201.
    """
    _, wanted = _canonical(proposed)
    versions = [found for found in store.subject(subject) if deleted or not found.deleted]
    if not versions:
        raise refusals.subject_not_found(subject)
    for found in versions:
        if found.digest == wanted:
            return found
    # Told apart from an unknown text, since a text that is no schema is the asker's mistake.
    parse(compact(proposed.text), _texts_of(store, proposed.references))
    raise refusals.schema_not_found()


def live_versions(store: Store, subject: str) -> list[Registered]:
    """Versions of `subject` that are not deleted, oldest first."""
    return [found for found in store.subject(subject) if not found.deleted]


def disagreements(
    store: Store, subject: str, proposed: Proposed, earlier: Sequence[Registered]
) -> list[str]:
    """Why a schema may not follow `earlier` by the level of `subject`; empty when it may."""
    text, _ = _canonical(proposed)
    schema = parse(text, _texts_of(store, proposed.references))
    return problems(level_of(store, subject), schema, _parsed(store, earlier))


def _canonical(proposed: Proposed) -> tuple[str, bytes]:
    text = compact(proposed.text)
    return text, digest(text, proposed.references)


def _live(versions: Sequence[Registered], wanted: bytes) -> Registered | None:
    return next((found for found in versions if found.digest == wanted and not found.deleted), None)


def _next_version(versions: Sequence[Registered]) -> int:
    return max((found.version for found in versions), default=0) + 1


def _parsed(store: Store, versions: Sequence[Registered]) -> list[tuple[int, Schema]]:
    return [
        (found.version, parse(found.text, _texts_of(store, found.references)))
        for found in versions
        if not found.deleted
    ]


def _texts_of(store: Store, references: Sequence[Reference]) -> list[str]:
    """Texts of all referenced versions, each after those it takes types from itself."""
    texts: dict[tuple[str, int], str] = {}

    def collect(wanted: Sequence[Reference]) -> None:
        for reference in wanted:
            key = (reference.subject, reference.version)
            if key in texts:
                continue
            found = next(
                (
                    version
                    for version in store.subject(reference.subject)
                    if version.version == reference.version
                ),
                None,
            )
            if found is None:
                raise refusals.invalid_schema(
                    f"there is no version {reference.version} of subject "
                    f"'{reference.subject}' that it refers to"
                )
            collect(found.references)
            texts[key] = found.text

    collect(references)
    return list(texts.values())


def _give_id(store: Store, text: str, wanted: bytes, references: tuple[Reference, ...]) -> int:
    if (known := store.id_of(wanted)) is not None:
        return known
    for candidate in candidate_ids(wanted):
        if store.add_schema(candidate, wanted, text, references):
            return candidate
    raise AssertionError("candidate ids never end")


def _import(
    store: Store,
    subject: str,
    proposed: Proposed,
    versions: Sequence[Registered],
) -> int:
    """Takes over a schema with the id that it has in another registry."""
    text, wanted = _canonical(proposed)
    known = store.id_of(wanted)
    schema_id = proposed.schema_id
    if schema_id is None:
        raise refusals.not_permitted(
            f"Subject '{subject}' is in import mode: the schema must come with its id"
        )
    if known is not None and known != schema_id:
        raise refusals.not_permitted(f"The schema already has the id {known}")
    if known is None and not store.add_schema(schema_id, wanted, text, proposed.references):
        raise refusals.not_permitted(
            f"The id {schema_id} belongs to another schema, which can't be overwritten"
        )
    version = proposed.version or _next_version(versions)
    if any(found.version == version for found in versions):
        raise refusals.not_permitted(
            f"Version {version} of subject '{subject}' belongs to another schema"
        )
    store.add_version(subject, version, schema_id)
    return schema_id
