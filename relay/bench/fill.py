"""Fills an outbox with a backlog."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import islice

from relay.postgres.connect import connect
from relay.postgres.sqlfile import load

__all__ = ["fill"]

# A backlog comes from many transactions; one a row would take longer than all that is measured.
_ROWS_A_TRANSACTION = 1_000


def fill(database_url: str, lines: Iterable[str]) -> float:
    """Copies `lines` in transactions of 1,000 and leaves the table vacuumed; rows a second.

    The vacuum keeps autovacuum, which begins when it likes, out of the time that is measured.
    """
    rest = iter(lines)
    rows, seconds = 0, 0.0
    with connect(database_url, application_name="relay bench") as connection:
        while chunk := list(islice(rest, _ROWS_A_TRANSACTION)):
            began = time.perf_counter()
            with connection.cursor().copy(load(__package__, "copy_backlog.sql")) as copy:
                copy.write("".join(chunk))
            seconds += time.perf_counter() - began
            rows += len(chunk)
        connection.execute("vacuum analyze outbox.domain_events")
    return rows / max(seconds, 1e-9)
