"""Waits until a run has come to rest, and until its dead letters are resolved."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import psycopg

from tests.chaos.stage import Stage

__all__ = ["REST", "UNDONE", "UNRESOLVED", "wait"]

_LOOK_S: Final = 0.5
# After a look the pause is so many times as long as it took, so that looking does not slow down
# what is looked at.
REST: Final = 5
# Where nothing has changed for so long, nothing will.
_STILL_S: Final = 60.0


def wait(
    stage: Stage, query: str, since: Callable[[], float], limit: float
) -> tuple[float | None, dict[str, int]]:
    """Waits until all counts of a query are 0; the seconds after `since`, and the last counts.

    None where they do not change for a while: waits longer than `limit` where they do, so that
    what is slow is not taken for lost.
    """
    left: dict[str, int] = {}
    changed = time.monotonic()
    while True:
        before = left
        began = time.monotonic()
        try:
            with stage.connect(row_factory=psycopg.rows.dict_row) as connection:
                left = connection.execute(query).fetchone() or {}
        except psycopg.OperationalError as error:
            left = {str(error): 1}
        now = time.monotonic()
        changed = now if left != before else changed
        if not any(left.values()):
            return now - since(), left
        if now > max(since() + limit, changed + min(limit, _STILL_S)):
            return None, {name: count for name, count in left.items() if count}
        time.sleep(max(_LOOK_S, (now - began) * REST))


UNDONE: Final = """
with wanted (event_type, group_name) as (
    values ('posted', 'ledger'), ('posted', 'mirror'), ('copied', 'ledger')
)
select
    (
        select count(*) from outbox.domain_events e
        where not exists (select from outbox.deliveries d where d.seq = e.seq)
    ) as unpublished,
    (
        select count(*)
        from outbox.domain_events e
        join wanted using (event_type)
        where not exists (
            select from chaos.effects done
            where done.event_id = e.id and done.group_name = wanted.group_name
        ) and not exists (
            select from inbox.dead_letters d
            where d.event_id = e.id and d.group_name = wanted.group_name
        )
    ) as "without effect",
    (select count(*) from inbox.parked) as parked,
    (
        select count(*) from inbox.dead_letters d
        where not exists (
            select from outbox.outcomes o
            where o.event_id = d.event_id and o.group_name = d.group_name and o.state = 'dead'
        )
    ) as "dead without a flag"
"""
UNRESOLVED: Final = """
select
    (select count(*) from inbox.dead_letters where state <> 'resolved') as "dead letters",
    (select count(*) from outbox.outcomes where state <> 'resolved') as "flagged dead",
    (select count(*) from inbox.parked) as parked,
    (
        select count(*) from outbox.domain_events e
        where not exists (select from outbox.deliveries d where d.seq = e.seq)
    ) as unpublished,
    (
        select count(*)
        from outbox.domain_events e
        where event_type = 'copied' and not exists (
            select from chaos.effects done
            where done.event_id = e.id and done.group_name = 'ledger'
        )
    ) as "without effect"
"""
