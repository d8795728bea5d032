"""Reads and writes decisions about schema versions.

Every transition is one statement, which also writes the history, so it is atomic in autocommit
mode and inside a caller's transaction. A version that is not in the state that the caller saw
stays as it is, and the function returns None.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson
import psycopg
from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from relay.postgres.sqlfile import load
from relay.schema.approvals.transitions import Action, transition
from relay.schema.catalog import SchemaVersion, State

__all__ = [
    "Decision",
    "Entry",
    "KnownVersion",
    "activate",
    "approve",
    "decision",
    "decisions",
    "deprecate",
    "has_begun",
    "history",
    "propose",
    "retire",
]

Connection = psycopg.Connection[Any]

_END = "end_version.sql"
_QUERIES = {
    Action.PROPOSE: "propose_version.sql",
    Action.APPROVE: "approve_version.sql",
    Action.ACTIVATE: "activate_version.sql",
    Action.DEPRECATE: _END,
    Action.RETIRE: _END,
}


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """A schema version and its state.

    text: of the schema; empty where the reader may not see it. withdrawn: retired before it was
    ever in use.
    """

    event_type: str
    version: int
    subject: str
    fingerprint: bytes
    logical_digest: bytes
    state: State
    text: str = ""
    withdrawn: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", State(self.state))

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.event_type} version {self.version}"

    @property
    def has_been_in_use(self) -> bool:
        """Rows may rightly have been written under it."""
        return self.state.has_been_in_use and not self.withdrawn

    @property
    def avsc(self) -> dict[str, Any]:
        """JSON of the schema."""
        return dict(orjson.loads(self.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(KnownVersion):
    """A version and what was decided about it.

    adopted: in use before it was reviewed. reason: the approver's.
    """

    adopted: bool
    proposer: str
    proposed_at: datetime
    approver: str | None
    approved_at: datetime | None
    reason: str | None
    sunset: date | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history. from_state: None where the version did not exist before.

    digest: SHA-256 of the schema's text, 32 bytes. actor: as given to the command. db_user: the
    user of the database connection.
    """

    at: datetime
    event_type: str
    version: int
    action: str
    from_state: str | None
    to_state: str
    actor: str
    reason: str | None
    forced: bool
    sunset: date | None
    digest: bytes
    db_user: str


def has_begun(connection: Connection) -> bool:
    """Returns whether any decision exists. From then on events need a version in use."""
    row = connection.execute("select exists (select from outbox.schema_versions)").fetchone()
    return row is not None and bool(row[0])


def decisions(connection: Connection, event_type: str) -> list[Decision]:
    """Returns all versions of an event type, by number; none: nobody has decided about it."""
    with connection.cursor(row_factory=class_row(Decision)) as cursor:
        query = load(__package__, "read_versions.sql")
        return cursor.execute(query, {"event_type": event_type}).fetchall()


def decision(connection: Connection, event_type: str, version: int) -> Decision | None:
    """Returns one version, None where it does not exist."""
    found = decisions(connection, event_type)
    return next((each for each in found if each.version == version), None)


def history(connection: Connection, event_type: str) -> list[Entry]:
    """Returns everything that was done to the versions of an event type, the oldest first."""
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        query = load(__package__, "read_history.sql")
        return cursor.execute(query, {"event_type": event_type}).fetchall()


def propose(
    connection: Connection, version: SchemaVersion, by: str, reason: str | None
) -> State | None:
    """Proposes a version, or another text of it, which voids an approval of the former text.

    Returns PROPOSED; None when the version is past approval, or this text is proposed or approved
    already.
    """
    return _move(
        connection,
        Action.PROPOSE,
        version.event_type,
        version.version,
        by,
        reason,
        aggregate_type=version.aggregate_type,
        subject=version.subject,
        fingerprint=version.fingerprint,
        logical_digest=version.logical_digest,
        text=version.text,
    )


def approve(connection: Connection, version: SchemaVersion, by: str, reason: str) -> State | None:
    """Approves the text of `version`. Returns APPROVED.

    None when it is not proposed, `by` proposed it, or another text is proposed.
    """
    name, number = version.event_type, version.version
    return _move(connection, Action.APPROVE, name, number, by, reason, text=version.text)


def activate(
    connection: Connection,
    version: SchemaVersion,
    by: str,
    reason: str | None,
    *,
    replaces: int | None,
) -> State | None:
    """Makes a version the one that is published; the one that it replaces becomes deprecated.

    replaces: number of the subject's active version that the caller saw, None without any.
    Commits where no transaction is open. Returns ACTIVE; None when the version is neither approved
    nor deprecated, has another text, or another version was activated meanwhile.
    """
    try:
        # A savepoint, so that a caller's transaction outlives the index's refusal.
        with connection.transaction():
            name, number = version.event_type, version.version
            more = {"text": version.text, "replaces": replaces}
            return _move(connection, Action.ACTIVATE, name, number, by, reason, **more)
    except UniqueViolation:
        return None


def deprecate(
    connection: Connection,
    event_type: str,
    version: int,
    by: str,
    reason: str | None,
    *,
    sunset: date | None,
) -> State | None:
    """Announces the end of a version. Returns DEPRECATED; None when it is not in use.

    sunset: the day on which it is to be retired; None keeps the one that is set.
    """
    more = {"sunset": sunset, "forced": False}
    return _move(connection, Action.DEPRECATE, event_type, version, by, reason, **more)


def retire(
    connection: Connection,
    event_type: str,
    version: int,
    by: str,
    reason: str | None,
    *,
    seen: State,
    forced: bool,
) -> State | None:
    """Retires a version, or withdraws a proposal. Returns RETIRED; None when its state is no
    longer `seen`, or not one to retire from.

    seen: the state in which the caller checked who reads it. forced: although somebody still
    reads it; needs a reason.
    """
    if seen not in transition(Action.RETIRE).sources:
        return None
    # One that was put to use meanwhile may have readers that nobody checked.
    more = {"sources": [seen.value], "sunset": None, "forced": forced}
    return _move(connection, Action.RETIRE, event_type, version, by, reason, **more)


def _move(
    connection: Connection,
    action: Action,
    event_type: str,
    version: int,
    by: str,
    reason: str | None,
    **more: Any,
) -> State | None:
    rule = transition(action)
    parameters = {
        "event_type": event_type,
        "version": version,
        "action": action.value,
        "sources": rule.states,
        "target": rule.target.value,
        "by": by,
        "reason": reason,
        **more,
    }
    query = load(__package__, _QUERIES[action])
    row = connection.execute(query, parameters).fetchone()
    return State(row[0]) if row is not None else None
