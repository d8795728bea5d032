"""Monthly partitions of the outbox, an option of the first `relay migrate`.

Events and deliveries are partitioned by the event's number: each month has a range of 10**12
numbers, the same in both tables. A month begins when the sequence is moved up to its range, so
partitions are made long before they are used, without locks that a publishing service would wait
for. Where nobody makes them, the last month simply goes on: a publisher never lacks a partition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql

from relay.errors import ConfigurationInvalid
from relay.postgres.sqlfile import load

__all__ = [
    "TABLES",
    "Month",
    "are_partitioned",
    "keep",
    "months",
    "refuse",
    "this_month",
    "with_partitions",
    "written_to",
]

TABLES: Final = ("domain_events", "deliveries")

# Before version 17 a partitioned table can't have an identity column.
_OLDEST_SERVER: Final = 170_000
_MONTHS_AHEAD: Final = 3
_NUMBERS: Final = 10**12
_LOCK: Final = 0x6F7574626F79
# Readers of the table delay a new partition, and queue behind the request.
_LOCK_TIMEOUT: Final = "set local lock_timeout = '1s'"


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month and its range of numbers. number: months since January 2000."""

    number: int

    @classmethod
    def of(cls, year: int, month: int) -> Month:
        """The calendar month."""
        return cls((year - 2000) * 12 + month - 1)

    @classmethod
    def of_seq(cls, seq: int) -> Month:
        """The month whose range has the number."""
        return cls(seq // _NUMBERS)

    @property
    def after(self) -> Month:
        """The following month."""
        return Month(self.number + 1)

    @property
    def start(self) -> int:
        """The range is from here to the start of the following month."""
        return self.number * _NUMBERS

    def table(self, of: str) -> str:
        """Name of the partition of a table."""
        return f"{of}_{str(self).replace('-', '_')}"

    def __str__(self) -> str:
        return f"{2000 + self.number // 12}-{self.number % 12 + 1:02d}"


def with_partitions(schema: str) -> str:
    """schema.sql as it is for a partitioned outbox."""
    schema = schema.replace("-- with partitions: ", "")
    return schema.replace(" unique -- not with partitions", "")


def are_partitioned(connection: psycopg.Connection[Any]) -> bool | None:
    """Whether the outbox is partitioned; None where there is none."""
    row = connection.execute(
        "select relkind = 'p' from pg_class where oid = to_regclass('outbox.domain_events')"
    ).fetchone()
    return row and row[0]


def refuse(connection: psycopg.Connection[Any]) -> None:
    """Raises ConfigurationInvalid where the outbox can't be made with partitions."""
    if are_partitioned(connection) is False:
        raise ConfigurationInvalid(
            "--partitions monthly: the tables of this outbox are there, without partitions, and "
            "are not converted. relay prune works without partitions, too. For partitions, start "
            "with an empty database"
        )
    if connection.info.server_version < _OLDEST_SERVER:
        raise ConfigurationInvalid(
            "--partitions monthly needs PostgreSQL 17 or newer: before, a partitioned table can't "
            "number its rows. Leave the option out; relay prune works without partitions, too"
        )


def months(connection: psycopg.Connection[Any]) -> list[Month]:
    """The months that have a partition, the oldest first."""
    rows = connection.execute(load(__package__, "read_partitions.sql")).fetchall()
    return sorted(Month.of(year, month) for year, month in rows)


def written_to(connection: psycopg.Connection[Any]) -> Month:
    """The month whose numbers are given out now."""
    row = connection.execute(load(__package__, "read_last_number.sql")).fetchone()
    return Month.of_seq(row[0] if row else 0)


def this_month(connection: psycopg.Connection[Any]) -> Month:
    """The calendar month by the database's clock, in UTC."""
    row = connection.execute(
        "select extract(year from at)::integer, extract(month from at)::integer "
        "from (select clock_timestamp() at time zone 'UTC') as now (at)"
    ).fetchone()
    assert row is not None
    return Month.of(*row)


def keep(connection: psycopg.Connection[Any], now: Month | None = None) -> list[Month]:
    """Makes the partitions of this month and the next ones, and begins the month if that has not
    been done. Returns the months that have a partition since.

    connection: of the tables' owner, in autocommit mode. now: None: by the database's clock.
    Does nothing where the outbox is not partitioned, or somebody else is at it. Raises
    psycopg.errors.LockNotAvailable where a long query reads the outbox.
    """
    if not are_partitioned(connection):
        return []
    made: list[Month] = []
    now = now or this_month(connection)
    wanted = [Month(now.number + ahead) for ahead in range(_MONTHS_AHEAD + 1)]
    with connection.transaction():
        connection.execute(_LOCK_TIMEOUT)
        if not _locked(connection):
            return []
        there = months(connection)
        for month in wanted:
            if month not in there:
                _create(connection, month, first=not there)
                there.append(month)
                made.append(month)
    # Not before the partitions are committed: the sequence obeys no transaction.
    with connection.transaction():
        if _locked(connection):
            connection.execute(load(__package__, "begin_month.sql"), {"start": now.start})
    return made


def _locked(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("select pg_try_advisory_xact_lock(%s)", [_LOCK]).fetchone()
    return bool(row and row[0])


def _create(connection: psycopg.Connection[Any], month: Month, *, first: bool) -> None:
    """Makes a month's partitions. first: the very first ones, which also have all lower numbers."""
    start = sql.SQL("minvalue") if first else sql.Literal(month.start)
    for table in TABLES:
        names = {
            "whole": sql.Identifier("outbox", table),
            "part": sql.Identifier("outbox", month.table(table)),
        }
        # Attached afterwards: that takes no lock that an insert would wait for.
        connection.execute(
            sql.SQL(
                "create table {part} (like {whole} including defaults including constraints "
                "including indexes including storage)"
            ).format(**names)
        )
        connection.execute(
            sql.SQL(
                "alter table {whole} attach partition {part} for values from ({start}) to ({end})"
            ).format(start=start, end=sql.Literal(month.after.start), **names)
        )
