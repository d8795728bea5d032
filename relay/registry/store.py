"""Reads and writes the registry's tables in PostgreSQL, schema `registry`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb

from relay.postgres.sqlfile import load
from relay.registry.schema import Reference

__all__ = ["Registered", "SchemaStore"]

_WRITERS = 0x7265676973747279
# Shorter than the pool's timeout, so that requests which wait for the lock and hold all connections
# let readers pass.
_LOCK_TIMEOUT = "2s"
# Longer than the largest schemas take to be compared.
_IDLE_TIMEOUT = "60s"


@dataclass(frozen=True, slots=True)
class Registered:
    """A version of a subject with its schema."""

    subject: str
    version: int
    schema_id: int
    digest: bytes
    text: str
    refs: list[dict[str, Any]] = field(default_factory=list)
    deleted: bool = False

    @property
    def references(self) -> tuple[Reference, ...]:
        """The types that the schema takes from other subjects."""
        return tuple(Reference(**reference) for reference in self.refs)


class SchemaStore:
    """Reads and writes in one transaction, which the caller opens and ends.

    Not thread-safe, like the connection.
    """

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    def lock(self) -> None:
        """Waits until no other server changes anything; held until the transaction ends.

        Registrations are rare, and one lock for all keeps versions without gaps and lets a
        compatibility check stay true until its schema is in.
        Raises psycopg.errors.LockNotAvailable after 2 s.
        """
        self._execute(
            "set_writer_timeouts.sql", lock_timeout=_LOCK_TIMEOUT, idle_timeout=_IDLE_TIMEOUT
        )
        self._connection.execute("select pg_advisory_xact_lock(%s)", (_WRITERS,))

    def subject(self, subject: str) -> list[Registered]:
        """All versions of a subject, oldest first, soft-deleted ones too."""
        return self._registered("v.subject = %(subject)s", subject=subject)

    def live(self, subject: str) -> list[Registered]:
        """The versions of a subject that are not deleted, oldest first."""
        return [found for found in self.subject(subject) if not found.deleted]

    def version(self, subject: str, version: int) -> Registered | None:
        """One version of a subject, even if it is soft-deleted."""
        return next((one for one in self.subject(subject) if one.version == version), None)

    def uses(self, schema_id: int) -> list[Registered]:
        """All versions with a schema id, soft-deleted ones too."""
        return self._registered("v.schema_id = %(id)s", id=schema_id)

    def all(self, prefix: str = "") -> list[Registered]:
        """All versions of all subjects that start with `prefix`, soft-deleted ones too."""
        return self._registered("starts_with(v.subject, %(prefix)s)", prefix=prefix)

    def subjects(self, prefix: str = "") -> list[tuple[str, bool]]:
        """(subject, all its versions are soft-deleted), in alphabetical order."""
        return self._rows("list_subjects.sql", prefix=prefix)

    def referencing(
        self, subject: str, version: int, *, deleted: bool = False
    ) -> list[tuple[str, int]]:
        """(subject, schema id) of those that take a type from this version, by id.

        deleted: whether soft-deleted ones count.
        """
        return self._rows("read_referencing.sql", subject=subject, version=version, deleted=deleted)

    def last_referred_to(self, subject: str) -> int:
        """Highest version of a subject that an id refers to, even one in no use; 0 for none."""
        return int(self._rows("find_last_referred.sql", subject=subject)[0][0])

    def text(self, schema_id: int) -> tuple[str, list[dict[str, Any]]] | None:
        """(text, references) of an id, also after its last version was deleted forever."""
        return self._connection.execute(
            "select text, refs from registry.schemas where id = %s", (schema_id,)
        ).fetchone()

    def id_of(self, digest: bytes) -> int | None:
        """The id of the schema with this digest."""
        row = self._connection.execute(
            "select id from registry.schemas where digest = %s", (digest,)
        ).fetchone()
        return row[0] if row else None

    def add_schema(
        self, schema_id: int, digest: bytes, text: str, references: tuple[Reference, ...]
    ) -> bool:
        """Stores a text under an id; returns False when the id or the text is taken already."""
        values = {
            "id": schema_id,
            "digest": digest,
            "text": text,
            "refs": Jsonb([reference.to_json() for reference in references]),
        }
        return bool(self._rows("insert_schema.sql", **values))

    def add_version(self, subject: str, version: int, schema_id: int) -> None:
        """Puts a schema under the next version of a subject."""
        self._connection.execute(
            "insert into registry.versions (subject, version, schema_id) values (%s, %s, %s)",
            (subject, version, schema_id),
        )

    def soft_delete(self, subject: str, versions: list[int]) -> None:
        """Hides versions."""
        self._execute("soft_delete.sql", subject=subject, versions=versions)

    def delete_forever(self, subject: str, versions: list[int]) -> None:
        """Removes versions that are hidden; the texts keep their ids."""
        self._execute("delete_forever.sql", subject=subject, versions=versions)

    def settings(self, column: str, scopes: list[str]) -> dict[str, str]:
        """Reads what is set for `scopes`. column: `compatibility` or `mode`."""
        query = SQL(
            "select scope, {0} from registry.settings where scope = any(%s) and {0} is not null"
        )
        rows = self._connection.execute(query.format(Identifier(column)), (scopes,))
        return dict(rows.fetchall())

    def set_setting(self, column: str, scope: str, value: str | None) -> None:
        """Sets or, with None, clears the compatibility level or the mode of a scope."""
        query = SQL(
            "insert into registry.settings (scope, {0}) values (%s, %s) "
            "on conflict (scope) do update set {0} = excluded.{0}"
        )
        self._connection.execute(query.format(Identifier(column)), (scope, value))

    def _registered(self, condition: str, **values: Any) -> list[Registered]:
        query = load(__package__, "read_registered.sql").decode().format(condition=condition)
        with self._connection.cursor(row_factory=class_row(Registered)) as cursor:
            return cursor.execute(query.encode(), values).fetchall()

    def _rows(self, query: str, **values: Any) -> list[Any]:
        return self._connection.execute(load(__package__, query), values).fetchall()

    def _execute(self, query: str, **values: Any) -> None:
        self._connection.execute(load(__package__, query), values)
