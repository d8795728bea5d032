"""Deletes single events of an outbox without partitions, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg

from relay.operate.prune.batch import Judge
from relay.operate.prune.report import Part

__all__ = ["prune_rows"]


def prune_rows(
    connection: psycopg.Connection[Any], judge: Judge, *, dry_run: bool
) -> Iterator[Part]:
    """Yields the events as one part. Walks up from the lowest number to where all are too young.

    Each batch is a transaction of its own. Events that are only too young are not counted.
    Raises psycopg.Error.
    """
    part = Part("events")
    judge.begin()
    after = -1
    while True:
        with connection.transaction():
            batch = judge.next(after)
            if batch is None or not batch.is_old:
                break
            if batch.prunable and not dry_run:
                judge.record()
                judge.delete()
        part.deleted += batch.prunable
        part.stays += batch.stays
        after = batch.last
    del part.stays[judge.young]
    yield part
