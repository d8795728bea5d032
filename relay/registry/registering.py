"""Registers a schema under a subject, finds it there, and says what it goes with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from relay.registry import refusals
from relay.registry.names import is_context
from relay.registry.references import latest_named, referred_to
from relay.registry.schema import (
    Reference,
    candidate_ids,
    compact,
    digest,
    normal,
    parse,
)
from relay.registry.scoped import check_writable, level_of, mode_of
from relay.registry.store import Registered, Store
from relay.schema.avro.nodes import Node
from relay.schema.compatibility.levels import problems

__all__ = ["Proposed", "disagreements", "find", "live_versions", "register"]


@dataclass(frozen=True, slots=True)
class Proposed:
    """A schema as a request brings it.

    schema_id: only while importing, where it is the source registry's. version: the one that it
    must get. normalize: whether the normal form is kept in place of the text.
    """

    text: str
    references: tuple[Reference, ...] = ()
    schema_id: int | None = None
    version: int | None = None
    normalize: bool = False


@dataclass(frozen=True, slots=True)
class _Read:
    """A proposed schema, understood.

    text: what is kept. form: its normal form. referenced: digests of what it refers to.
    """

    text: str
    form: str
    root: Node
    proposed: Proposed
    referenced: Sequence[bytes]

    @property
    def digest(self) -> bytes:
        """By which the schema is known."""
        return digest(self.form, self.proposed.references, self.referenced)


def register(store: Store, subject: str, proposed: Proposed) -> int:
    """Puts a schema under the next version of `subject` and answers its id.

    A schema that already stands there keeps its version, whatever the mode.
    Raises Refusal 409 (does not go with earlier versions), 42201, 42205, 42208, 42209.
    """
    if not subject or is_context(subject):
        raise refusals.invalid_subject(subject, "it is empty")
    # One that stands there is found whatever it is: another registry may have let it pass.
    read = _read(store, proposed, new=False)
    if proposed.schema_id is None:
        if known := _live(store.subject(subject), read):
            return _same_version(known, read)
        # Said before the lock is had, so that nobody waits for a schema that is refused.
        _read(store, proposed, new=True)
    store.lock()
    # What it refers to may have been deleted before the lock was had. A schema from another
    # registry is taken as it is, since records carry its id.
    read = _read(store, proposed, new=proposed.schema_id is None)
    versions = store.subject(subject)
    if known := _live(versions, read):
        if proposed.schema_id not in (None, known.schema_id):
            raise refusals.not_permitted(
                f"The schema already has the id {known.schema_id} under subject '{subject}'"
            )
        return _same_version(known, read)
    mode = mode_of(store, subject)
    check_writable(mode, subject)
    if mode == "IMPORT":
        return _import(store, subject, read, versions)
    if proposed.schema_id is not None:
        raise refusals.not_permitted(f"Subject '{subject}' is not in import mode")
    version = _next_version(store, subject, versions)
    if proposed.version not in (None, version):
        raise refusals.invalid_schema(
            f"the version must be {version}, one more than the last, not {proposed.version}"
        )
    live = [found for found in versions if not found.deleted]
    if reasons := _problems(store, subject, read, live):
        raise refusals.incompatible(subject, reasons)
    schema_id = _give_id(store, read)
    store.add_version(subject, version, schema_id)
    return schema_id


def find(store: Store, subject: str, proposed: Proposed, *, deleted: bool = False) -> Registered:
    """The version of `subject` that has this schema, however its text is written.

    deleted: whether soft-deleted versions count. Raises Refusal 40401, 40403, 42201.
    """
    read = _read(store, proposed, new=False)
    versions = [found for found in store.subject(subject) if deleted or not found.deleted]
    if not versions:
        raise refusals.subject_not_found(subject)
    wanted = read.digest
    for found in versions:
        if found.digest == wanted:
            return found
    raise refusals.schema_not_found()


def live_versions(store: Store, subject: str) -> list[Registered]:
    """Versions of `subject` that are not deleted, oldest first."""
    return [found for found in store.subject(subject) if not found.deleted]


def disagreements(
    store: Store, subject: str, proposed: Proposed, earlier: Sequence[Registered]
) -> list[str]:
    """Why a schema may not follow `earlier` by the level of `subject`; empty when it may.

    Raises Refusal 42201.
    """
    return _problems(store, subject, _read(store, proposed, new=True), earlier)


def _read(store: Store, proposed: Proposed, *, new: bool) -> _Read:
    if proposed.references:
        references = latest_named(store, proposed.references)
        proposed = replace(proposed, references=references)
    referenced = referred_to(store, proposed.references, deleted=not new)
    texts = [found.text for found in referenced]
    text = compact(proposed.text)
    form = normal(text, texts, new=new)
    root = parse(text, texts, new=new)
    return _Read(
        text=form if proposed.normalize else text,
        form=form,
        root=root,
        proposed=proposed,
        referenced=[found.digest for found in referenced],
    )


def _live(versions: Sequence[Registered], read: _Read) -> Registered | None:
    wanted = read.digest
    return next((found for found in versions if found.digest == wanted and not found.deleted), None)


def _same_version(known: Registered, read: _Read) -> int:
    if read.proposed.version not in (None, known.version):
        raise refusals.invalid_schema(
            f"it stands under version {known.version} already, not {read.proposed.version}"
        )
    return known.schema_id


def _next_version(store: Store, subject: str, versions: Sequence[Registered]) -> int:
    """The number after the last, which may be one that was deleted forever.

    An id whose last version is gone still names what it refers to by number: to its readers
    another schema under that number would be part of it.
    """
    last = max((found.version for found in versions), default=0)
    return max(last, store.last_referred_to(subject)) + 1


def _problems(store: Store, subject: str, read: _Read, earlier: Sequence[Registered]) -> list[str]:
    level = level_of(store, subject)
    against = earlier if level.transitive else earlier[-1:]
    return problems(level, read.root, [(found.version, _parsed(store, found)) for found in against])


def _parsed(store: Store, found: Registered) -> Node:
    referenced = referred_to(store, found.references, deleted=True)
    return parse(found.text, [one.text for one in referenced], new=False)


def _give_id(store: Store, read: _Read) -> int:
    if (known := store.id_of(read.digest)) is not None:
        return known
    for candidate in candidate_ids(read.digest):
        if store.add_schema(candidate, read.digest, read.text, read.proposed.references):
            return candidate
    raise AssertionError("candidate ids never end")


def _import(store: Store, subject: str, read: _Read, versions: Sequence[Registered]) -> int:
    """Takes over a schema with the id that it has in another registry."""
    proposed = read.proposed
    known = store.id_of(read.digest)
    schema_id = proposed.schema_id
    if schema_id is None:
        raise refusals.not_permitted(
            f"Subject '{subject}' is in import mode: the schema must come with its id"
        )
    if known is not None and known != schema_id:
        raise refusals.not_permitted(f"The schema already has the id {known}")
    if known is None and not store.add_schema(
        schema_id, read.digest, read.text, proposed.references
    ):
        raise refusals.not_permitted(
            f"The id {schema_id} belongs to another schema, which can't be overwritten"
        )
    version = proposed.version or _next_version(store, subject, versions)
    if any(found.version == version for found in versions):
        raise refusals.not_permitted(
            f"Version {version} of subject '{subject}' belongs to another schema"
        )
    store.add_version(subject, version, schema_id)
    return schema_id
