"""Judges the outbox's events batch by batch: may they go, and if not, why not?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import namedtuple_row

from relay.kafka.offsets import Partition
from relay.operate.prune.offsets import ReadByAll
from relay.postgres.sqlfile import load

__all__ = ["Batch", "Judge"]

ROWS: Final = 10_000
_LAST_SEQ: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Judged events; their numbers are in the temporary table prune_batch.

    last: the highest number. prunable: how many may go. stays: reason -> number of others.
    is_old: whether any was written before the retention began.
    """

    last: int
    prunable: int
    stays: Counter[str]
    is_old: bool


class Judge:
    """On one connection, which has the temporary tables."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        shards: int,
        read: Mapping[Partition, ReadByAll],
        before: datetime,
        days: int,
    ) -> None:
        """shards: the pinned number. read: was asked before this. before: what was delivered since
        then stays. days: the retention, for messages."""
        self._connection = connection
        self._shards = shards
        self._read = read
        self._before = before
        self.young = f"delivered less than {days} days ago"
        connection.execute(load(__package__, "create_prune_tables.sql"))
        # After the offsets were asked: what is below them is processed, parked or dead by now.
        connection.execute(load(__package__, "find_open.sql"))
        with connection.cursor().copy("copy prune_read from stdin") as copy:
            for (topic, partition), each in read.items():
                copy.write_row((topic, partition, each.below))
        self._run: int | None = None

    def next(self, after: int = -1, end: int = _LAST_SEQ) -> Batch | None:
        """Judges the next events with numbers after `after` and below `end`; None: no more."""
        self._connection.execute("truncate prune_batch")
        with self._connection.cursor(row_factory=namedtuple_row) as cursor:
            found: Any = cursor.execute(
                load(__package__, "judge_batch.sql"),
                {
                    "after": after,
                    "end": end,
                    "rows": ROWS,
                    "shards": self._shards,
                    "before": self._before,
                },
            ).fetchone()
        if not found.rows:
            return None
        reasons = self._connection.execute(load(__package__, "count_reasons.sql")).fetchall()
        stays = Counter({self._words(*reason): count for *reason, count in reasons})
        return Batch(found.last, found.rows - stays.total(), stays, found.is_old)

    def walk(self, after: int, end: int) -> Iterator[Batch]:
        """Judges all events of a range, batch by batch."""
        while (batch := self.next(after, end)) is not None:
            yield batch
            after = batch.last

    def begin(self) -> None:
        """What is recorded from now on is a run of its own."""
        self._run = None

    def record(self, months: str | None = None) -> None:
        """Notes that the last batch's prunable events are pruned. months: their partition."""
        parameters = {"run": self._run, "months": months}
        row = self._connection.execute(load(__package__, "record_run.sql"), parameters).fetchone()
        if row is not None:
            self._run = row[0]
            parameters = {"run": self._run}
            self._connection.execute(load(__package__, "record_offsets.sql"))
            self._connection.execute(load(__package__, "record_ids.sql"), parameters)
            self._connection.execute(load(__package__, "delete_fates.sql"))

    def delete(self) -> None:
        """Deletes the last batch's prunable events and their deliveries."""
        self._connection.execute(load(__package__, "delete_deliveries.sql"))
        self._connection.execute(load(__package__, "delete_events.sql"))

    def _words(self, reason: str, topic: str | None, partition: int | None) -> str:
        match reason:
            case "young":
                return self.young
            case "unread":
                read = self._read[(str(topic), int(partition or 0))]
                return (
                    f"that group {read.group} has not read: it has read {topic}[{partition}] "
                    f"only below offset {read.below}"
                )
            case "unknown":
                return (
                    f"published to {topic}[{partition}], whose readers are not known: it is not "
                    "in the catalog or does not exist"
                )
        return reason
