"""Registers a schema under a subject, finds it there, and checks its compatibility."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from relay.registry import errors
from relay.registry.names import is_context
from relay.registry.references import latest_named, referred_to
from relay.registry.schema import Reference, candidate_ids, compact, digest, normal, parse
from relay.registry.settings import LEVEL, MODE, check_writable
from relay.registry.store import Registered, SchemaStore
from relay.schema.avro.nodes import Node
from relay.schema.compatibility.levels import Level, problems

__all__ = ["Proposed", "find", "incompatibilities", "register"]


@dataclass(frozen=True, slots=True)
class Proposed:
    """A schema of a request.

    schema_id: only while importing, the id in the source registry. version: the number that it
    must get. normalize: the normal form is stored instead of the text.
    """

    text: str
    references: tuple[Reference, ...] = ()
    schema_id: int | None = None
    version: int | None = None
    normalize: bool = False


@dataclass(frozen=True, slots=True)
class _Read:
    """A proposed schema, parsed. text: what is stored. digest: identifies the schema."""

    text: str
    root: Node
    digest: bytes
    proposed: Proposed


def register(store: SchemaStore, subject: str, proposed: Proposed) -> int:
    """Registers a schema as the next version of `subject` and returns its id.

    A schema that is registered already keeps its version, whatever the mode.
    Raises ApiError 409 (incompatible with earlier versions), 42201, 42205, 42208, 42209.
    """
    if not subject or is_context(subject):
        raise errors.invalid_subject(subject[:100], "it is empty")
    # A registered one is found even if it is invalid: another registry may have accepted it.
    read = _read(store, proposed, new=False)
    if proposed.schema_id is None:
        if known := _live(store.subject(subject), read):
            return _same_version(known, read)
        # Checked before taking the lock, so that nobody waits for a schema that is refused.
        _read(store, proposed, new=True)
    store.lock()
    # What it refers to may have been deleted before the lock was taken. A schema from another
    # registry is accepted as it is, since records carry its id.
    read = _read(store, proposed, new=proposed.schema_id is None)
    versions = store.subject(subject)
    if known := _live(versions, read):
        if proposed.schema_id not in (None, known.schema_id):
            raise errors.not_permitted(
                f"The schema already has the id {known.schema_id} under subject '{subject}'"
            )
        return _same_version(known, read)
    check_writable(store, subject)
    if MODE.of(store, subject) == "IMPORT":
        return _import(store, subject, read, versions)
    if proposed.schema_id is not None:
        raise errors.not_permitted(f"Subject '{subject}' is not in import mode")
    version = _next_version(store, subject, versions)
    if proposed.version not in (None, version):
        raise errors.invalid_schema(
            f"the version must be {version}, one more than the last, not {proposed.version}"
        )
    live = [found for found in versions if not found.deleted]
    if reasons := _problems(store, subject, read, live):
        raise errors.incompatible(subject, "; ".join(reasons))
    schema_id = _give_id(store, read)
    store.add_version(subject, version, schema_id)
    return schema_id


def find(
    store: SchemaStore, subject: str, proposed: Proposed, *, deleted: bool = False
) -> Registered:
    """Returns the version of `subject` that has this schema, however its text is written.

    deleted: soft-deleted versions count, too. Raises ApiError 40401, 40403, 42201.
    """
    read = _read(store, proposed, new=False)
    versions = store.subject(subject) if deleted else store.live(subject)
    if not versions:
        raise errors.subject_not_found(subject)
    for found in versions:
        if found.digest == read.digest:
            return found
    raise errors.schema_not_found("Schema")


def incompatibilities(
    store: SchemaStore, subject: str, proposed: Proposed, earlier: Sequence[Registered]
) -> list[str]:
    """Lists why a schema may not follow `earlier` by the level of `subject`; empty when it may.

    Raises ApiError 42201.
    """
    return _problems(store, subject, _read(store, proposed, new=True), earlier)


def _read(store: SchemaStore, proposed: Proposed, *, new: bool) -> _Read:
    if proposed.references:
        references = latest_named(store, proposed.references)
        proposed = replace(proposed, references=references)
    referenced = referred_to(store, proposed.references, deleted=not new)
    texts = [found.text for found in referenced]
    text = compact(proposed.text)
    form = normal(text, texts, new=new)
    return _Read(
        text=form if proposed.normalize else text,
        root=parse(text, texts, new=new),
        digest=digest(form, proposed.references, [found.digest for found in referenced]),
        proposed=proposed,
    )


def _live(versions: Sequence[Registered], read: _Read) -> Registered | None:
    live = (found for found in versions if not found.deleted)
    return next((found for found in live if found.digest == read.digest), None)


def _same_version(known: Registered, read: _Read) -> int:
    if read.proposed.version not in (None, known.version):
        raise errors.invalid_schema(
            f"it is registered as version {known.version} already, not {read.proposed.version}"
        )
    return known.schema_id


def _next_version(store: SchemaStore, subject: str, versions: Sequence[Registered]) -> int:
    """Returns the number after the last, which may have been deleted forever.

    An id whose last version is gone still names its references by number: its readers would take
    another schema under that number for a part of it.
    """
    last = max((found.version for found in versions), default=0)
    return max(last, store.last_referred_to(subject)) + 1


def _problems(
    store: SchemaStore, subject: str, read: _Read, earlier: Sequence[Registered]
) -> list[str]:
    level = Level(LEVEL.of(store, subject))
    against = earlier if level.transitive else earlier[-1:]
    return problems(level, read.root, [(found.version, _parsed(store, found)) for found in against])


def _parsed(store: SchemaStore, found: Registered) -> Node:
    referenced = referred_to(store, found.references, deleted=True)
    return parse(found.text, [one.text for one in referenced], new=False)


def _give_id(store: SchemaStore, read: _Read) -> int:
    if (known := store.id_of(read.digest)) is not None:
        return known
    for candidate in candidate_ids(read.digest):
        if store.add_schema(candidate, read.digest, read.text, read.proposed.references):
            return candidate
    raise AssertionError("candidate ids never end")


def _import(store: SchemaStore, subject: str, read: _Read, versions: Sequence[Registered]) -> int:
    """Registers a schema with its id of another registry."""
    proposed = read.proposed
    known = store.id_of(read.digest)
    schema_id = proposed.schema_id
    if schema_id is None:
        raise errors.not_permitted(
            f"Subject '{subject}' is in import mode: the schema must come with its id"
        )
    if known is not None and known != schema_id:
        raise errors.not_permitted(f"The schema already has the id {known}")
    if known is None and not store.add_schema(
        schema_id, read.digest, read.text, proposed.references
    ):
        raise errors.not_permitted(
            f"The id {schema_id} belongs to another schema, which can't be overwritten"
        )
    version = proposed.version or _next_version(store, subject, versions)
    if any(found.version == version for found in versions):
        raise errors.not_permitted(
            f"Version {version} of subject '{subject}' belongs to another schema"
        )
    store.add_version(subject, version, schema_id)
    return schema_id
