"""Statements that decide about schema versions; each settles and writes its history at once.

Every function runs one statement, so it is whole in autocommit mode as in a transaction, which it
joins. A version that is not in the state that its caller saw is left alone: the answer is then
None.
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
    "activate",
    "approve",
    "decision",
    "decisions",
    "deprecate",
    "history",
    "propose",
    "retire",
]

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Decision:
    """A version and what was decided about it.

    adopted: in use before it was reviewed. reason: the approver's. given_up: retired before it was
    ever in use.
    """

    event_type: str
    version: int
    subject: str
    fingerprint: bytes
    text: str
    state: State
    adopted: bool
    proposer: str
    proposed_at: datetime
    approver: str | None
    approved_at: datetime | None
    reason: str | None
    sunset: date | None
    given_up: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", State(self.state))

    @property
    def avsc(self) -> dict[str, Any]:
        """JSON of the schema."""
        return dict(orjson.loads(self.text))


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history. from_state: None where the version was not there before.

    digest: SHA-256 of the schema's text, 32 bytes. db_user: the database's name for who acted;
    actor is what the command was told.
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


def decisions(connection: Connection, event_type: str) -> list[Decision]:
    """All versions of an event type, by number; none: nobody has decided about it."""
    with connection.cursor(row_factory=class_row(Decision)) as cursor:
        query = load(__package__, "read_versions.sql")
        return cursor.execute(query, {"event_type": event_type}).fetchall()


def decision(connection: Connection, event_type: str, version: int) -> Decision | None:
    """One version, None where it is not there."""
    found = decisions(connection, event_type)
    return next((each for each in found if each.version == version), None)


def history(connection: Connection, event_type: str) -> list[Entry]:
    """Everything that was done to the versions of an event type, the oldest first."""
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        query = load(__package__, "read_history.sql")
        return cursor.execute(query, {"event_type": event_type}).fetchall()


def propose(
    connection: Connection, version: SchemaVersion, by: str, reason: str | None
) -> State | None:
    """Puts a version up for review, or another text of it; an approval of the former text is void.

    Answers PROPOSED; None when the version is past approval, or this text is proposed or approved
    already.
    """
    return _move(
        connection,
        "propose_version.sql",
        Action.PROPOSE,
        version.event_type,
        version.version,
        by,
        reason,
        subject=version.subject,
        fingerprint=version.fingerprint,
        logical_digest=version.logical_digest,
        text=version.text,
    )


def approve(connection: Connection, version: SchemaVersion, by: str, reason: str) -> State | None:
    """Approves the text of `version`. Answers APPROVED.

    None when it is not proposed, `by` proposed it, or another text is proposed.
    """
    return _move(
        connection,
        "approve_version.sql",
        Action.APPROVE,
        version.event_type,
        version.version,
        by,
        reason,
        text=version.text,
    )


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
    Commits where no transaction is open. Answers ACTIVE; None when the version is neither approved
    nor deprecated, has another text, or another version was activated meanwhile.
    """
    try:
        # A savepoint, so that a caller's transaction outlives the index's refusal.
        with connection.transaction():
            return _move(
                connection,
                "activate_version.sql",
                Action.ACTIVATE,
                version.event_type,
                version.version,
                by,
                reason,
                text=version.text,
                replaces=replaces,
            )
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
    """Announces the end of a version. Answers DEPRECATED; None when it is not in use.

    sunset: the day on which it is to be retired; None keeps the one that is set.
    """
    return _move(
        connection,
        "deprecate_version.sql",
        Action.DEPRECATE,
        event_type,
        version,
        by,
        reason,
        sunset=sunset,
    )


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
    """Ends a version, or gives a proposal up. Answers RETIRED.

    seen: the state in which the caller asked who reads it; None is answered when it is another
    one by now, or one that nothing retires from. forced: although somebody still reads it; needs
    a reason.
    """
    return _move(
        connection,
        "retire_version.sql",
        Action.RETIRE,
        event_type,
        version,
        by,
        reason,
        seen=seen.value,
        forced=forced,
    )


def _move(
    connection: Connection,
    query: str,
    action: Action,
    event_type: str,
    version: int,
    by: str,
    reason: str | None,
    **more: Any,
) -> State | None:
    rule = transition(action)
    row = connection.execute(
        load(__package__, query),
        {
            "event_type": event_type,
            "version": version,
            "action": action.value,
            "sources": rule.states,
            "target": rule.target.value,
            "by": by,
            "reason": reason,
            **more,
        },
    ).fetchone()
    return State(row[0]) if row is not None else None
