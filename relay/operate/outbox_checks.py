"""Whether the outbox is as the relay's promises require it, for `relay doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row

from relay.postgres.sqlfile import load

__all__ = ["OutboxFacts", "OutboxFinding", "check_outbox", "judge"]

# What the statements that write an event read of a version.
_NEEDED = ["event_type", "version", "fingerprint", "logical_digest", "state"]


@dataclass(frozen=True, slots=True)
class OutboxFacts:
    """What the database reports of itself, as `inspect_outbox.sql` reads it.

    foreign_rows: rows whose transaction this database has not begun yet, counted up to 1,000.
    excess_privileges: "role may verb [column]" of all but the owner. blind_writers: roles, as SQL
    writes them, that may insert events by a grant of their own, and not read the versions' states.
    """

    standby: bool
    sequence_cache: int
    sequence_increment: int
    sequence_cycles: bool
    logged: bool
    fsync: bool
    full_page_writes: bool
    synchronous_commit: str
    foreign_rows: int
    writer_role: bool
    excess_privileges: list[str]
    blind_writers: list[str]


@dataclass(frozen=True, slots=True)
class OutboxFinding:
    """One thing that is wrong: an error breaks a promise, a warning weakens one."""

    check: str
    level: Literal["error", "warning"]
    message: str


def check_outbox(connection: psycopg.Connection[Any]) -> list[OutboxFinding]:
    """Everything found wrong with the outbox of this database, errors first; empty when sound.

    connection: in autocommit mode. Raises psycopg.errors.UndefinedTable before `relay migrate`.
    """
    with connection.cursor(row_factory=class_row(OutboxFacts)) as reader:
        facts = reader.execute(
            load(__package__, "inspect_outbox.sql"), {"needed": _NEEDED}
        ).fetchone()
    assert facts is not None
    return sorted(judge(facts), key=lambda finding: finding.level)


def judge(facts: OutboxFacts) -> Iterator[OutboxFinding]:
    """What is wrong with `facts`; no input or output."""
    if facts.standby:
        yield OutboxFinding(
            "primary",
            "error",
            "this server is a standby, whose snapshots are not the primary's: "
            "set EVENT_BUS_DATABASE_URL to the primary",
        )
    if facts.sequence_cache != 1 or facts.sequence_increment != 1 or facts.sequence_cycles:
        yield OutboxFinding(
            "sequence",
            "error",
            f"outbox.domain_events.seq has cache {facts.sequence_cache}, increment "
            f"{facts.sequence_increment}{' and cycles' if facts.sequence_cycles else ''}, so "
            "numbers are not in the order of publishing: run alter table outbox.domain_events "
            "alter column seq set cache 1 set increment by 1 set no cycle",
        )
    if facts.foreign_rows:
        count = f"{facts.foreign_rows}{' or more' if facts.foreign_rows == 1000 else ''}"
        yield OutboxFinding(
            "foreign-rows",
            "error",
            f"{count} rows of outbox.domain_events carry transaction ids that this database has "
            "not reached, so they came by a restore or a copy and would be published much later "
            "by accident: run relay recover",
        )
    if not facts.logged:
        yield OutboxFinding(
            "logged",
            "error",
            "outbox.domain_events is unlogged and empty after a crash: "
            "run alter table outbox.domain_events set logged",
        )
    if not (facts.fsync and facts.full_page_writes):
        off = " and ".join(
            name
            for name, on in (("fsync", facts.fsync), ("full_page_writes", facts.full_page_writes))
            if not on
        )
        yield OutboxFinding(
            "durability",
            "warning",
            f"{off} off: a crash of the machine may damage the database, events with it",
        )
    if facts.synchronous_commit == "off":
        yield OutboxFinding(
            "durability",
            "warning",
            "synchronous_commit is off: a crash of PostgreSQL may lose the last changes together "
            "with their events; none of those was published",
        )
    if not facts.writer_role:
        yield OutboxFinding(
            "roles",
            "warning",
            "there is no role outbox_writer: have an administrator create it, run relay migrate "
            "again and grant it to the services that publish",
        )
    if facts.excess_privileges:
        yield OutboxFinding(
            "roles",
            "warning",
            f"on outbox.domain_events {', '.join(facts.excess_privileges)}; publishers need no "
            "more than the role outbox_writer has: revoke the rest",
        )
    if facts.blind_writers:
        roles = ", ".join(facts.blind_writers)
        yield OutboxFinding(
            "roles",
            "warning",
            f"{roles} may insert events but not read which schema versions are in use, so publish "
            f"fails for them: run grant select ({', '.join(_NEEDED)}) on outbox.schema_versions "
            f"to {roles}",
        )
