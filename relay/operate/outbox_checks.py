"""Checks that the outbox is as the relay's guarantees require it, for `relay doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import psycopg
from psycopg.rows import namedtuple_row

from relay.postgres.partitions import are_partitioned, this_month, written_to
from relay.postgres.sqlfile import load

__all__ = ["CheckResult", "check_outbox", "failed", "passed", "warned"]

# Columns of outbox.schema_versions that the statements that write an event read.
_NEEDED = ["event_type", "aggregate_type", "version", "fingerprint", "logical_digest", "state"]


class CheckResult(NamedTuple):
    """One thing that was checked. message: what was found, and what to do unless it is ok."""

    check: str
    level: Literal["ok", "warn", "fail"]
    message: str


def passed(check: str, message: str) -> CheckResult:
    """A check that found nothing wrong."""
    return CheckResult(check, "ok", message)


def warned(check: str, message: str) -> CheckResult:
    """A check that found something that weakens a guarantee."""
    return CheckResult(check, "warn", message)


def failed(check: str, message: str) -> CheckResult:
    """A check that found something that breaks a guarantee."""
    return CheckResult(check, "fail", message)


def check_outbox(connection: psycopg.Connection[Any]) -> list[CheckResult]:
    """Returns what is wrong with the outbox of this database, failures first.

    connection: in autocommit mode. Raises psycopg.errors.UndefinedTable before `relay migrate`.
    """
    query = load(__package__, "inspect_outbox.sql")
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        facts = cursor.execute(query, {"needed": _NEEDED}).fetchone()
    found = [*_judge(facts), *_judge_months(connection)]
    return sorted(found, key=lambda finding: finding.level)


def _judge_months(connection: psycopg.Connection[Any]) -> Iterator[CheckResult]:
    if not are_partitioned(connection):
        return
    last, now = written_to(connection), this_month(connection)
    if last < now:
        yield warned(
            "partitions",
            f"events still go to the partition of {last}, no worker has begun {now}: start one, or "
            "run relay migrate with the role that owns the tables",
        )


def _judge(facts: Any) -> Iterator[CheckResult]:
    if facts.standby:
        yield failed(
            "primary",
            "this server is a standby, whose snapshots are not the primary's: "
            "set EVENT_BUS_DATABASE_URL to the primary",
        )
    if facts.sequence_cache != 1 or facts.sequence_increment != 1 or facts.sequence_cycles:
        yield failed(
            "sequence",
            f"outbox.domain_events.seq has cache {facts.sequence_cache}, increment "
            f"{facts.sequence_increment}{' and cycles' if facts.sequence_cycles else ''}, so "
            "numbers are not in the order of publishing: run alter table outbox.domain_events "
            "alter column seq set cache 1 set increment by 1 set no cycle",
        )
    if facts.foreign_rows:
        yield failed(
            "foreign-rows",
            f"{facts.foreign_rows}{' or more' if facts.foreign_rows == 1000 else ''} rows of "
            "outbox.domain_events carry transaction ids that this database has "
            "not reached, so they came by a restore or a copy and would be published much later "
            "by accident: run relay recover",
        )
    if not facts.logged:
        yield failed(
            "logged",
            "outbox.domain_events is unlogged and empty after a crash: "
            "run alter table outbox.domain_events set logged",
        )
    if facts.switched_off:
        yield warned(
            "durability",
            f"{' and '.join(facts.switched_off)} off: a crash of the machine may damage the "
            "database, events with it",
        )
    if facts.synchronous_commit == "off":
        yield warned(
            "durability",
            "synchronous_commit is off: a crash of PostgreSQL may lose the last changes together "
            "with their events; none of those was published",
        )
    if not facts.writer_role:
        yield warned(
            "roles",
            "there is no role outbox_writer: have an administrator create it, run relay migrate "
            "again and grant it to the services that publish",
        )
    if facts.excess_privileges:
        yield warned(
            "roles",
            f"on outbox.domain_events {', '.join(facts.excess_privileges)}; publishers need no "
            "more than the role outbox_writer has: revoke the rest",
        )
    if facts.blind_writers:
        roles = ", ".join(facts.blind_writers)
        yield warned(
            "roles",
            f"{roles} may insert events but not read which schema versions are in use, so publish "
            f"fails for them: run grant select ({', '.join(_NEEDED)}) on outbox.schema_versions "
            f"to {roles}",
        )
