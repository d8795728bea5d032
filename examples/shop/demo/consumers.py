"""The shop's consumer groups for the demo: the real ones, some of whose handlers fail on demand.

A failing handler has done its work by then, so that its effects have to be rolled back.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from consumers import billing, fulfillment, timeline
from relay import Context, Group
from relay.consume.group import Handler
from relay.events import DomainEvent
from relay.postgres.connect import connect
from relay.postgres.sqlfile import load
from relay.settings import load_settings

__all__ = ["billing_group", "fulfillment_group", "timeline_group"]


class HandlerBroke(Exception):
    """What a handler raises when something that it needs does not work."""


def _with_faults(group: Group) -> Group:
    """A group with the same name and handlers, which fail as the table demo.faults says."""
    wrapped = Group(group.name, lanes=group.lanes, batch=group.batch)
    for subscription in group.subscriptions.values():
        wrapped.handles(subscription.event_class)(_failing(subscription.handler))
    return wrapped


def _failing(handler: Handler) -> Handler:
    def handle(event: DomainEvent, context: Context) -> None:
        handler(event, context)
        fault = _faults().get((context.group, event.EVENT_TYPE, event.aggregate_id))
        if fault is None:
            return
        failures, reason = fault
        if context.attempt <= failures and not _is_fixed(event, context):
            raise HandlerBroke(reason)

    return handle


@cache
def _faults() -> dict[tuple[str, str, str], tuple[int, str]]:
    """(group, event type, aggregate id) -> (how often it fails, why); fixed before the start."""
    with connect(load_settings().database_url) as connection:
        rows = connection.execute(
            "select group_name, event_type, aggregate_id, failures, reason from demo.faults"
        ).fetchall()
    return {(group, kind, aggregate): (n, why) for group, kind, aggregate, n, why in rows}


def _is_fixed(event: DomainEvent, context: Context) -> Any:
    parameters = {
        "group": context.group,
        "event_type": event.EVENT_TYPE,
        "aggregate_id": event.aggregate_id,
    }
    row = context.connection.execute(load(__package__, "read_fixed.sql"), parameters).fetchone()
    return row is not None and row[0]


timeline_group = _with_faults(timeline.group)
fulfillment_group = _with_faults(fulfillment.group)
billing_group = _with_faults(billing.group)
