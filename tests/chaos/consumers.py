"""The consumer groups of the chaos runs. Their handlers write first and fail afterwards."""

from __future__ import annotations

from relay import Context, Fatal, Group
from tests.chaos.events import Copied, Posted
from tests.chaos.fates import AT_ONCE, fate_of

__all__ = ["COPY_EACH", "ledger", "mirror"]

# The mirror copies each event whose number can be divided by this.
COPY_EACH = 3

ledger = Group("ledger")
mirror = Group("mirror")


class HandlerBroke(Exception):
    """The fate of the event."""


@ledger.handles(Posted, Copied)
def note(event: Posted | Copied, context: Context) -> None:
    """One effect an event."""
    _act(event, context)
    _meet_fate(event, context)


@mirror.handles(Posted)
def copy(event: Posted, context: Context) -> None:
    """One effect an event, and for some an event in turn."""
    _act(event, context)
    if event.number % COPY_EACH == 0:
        mirrored = f"m-{event.aggregate_id}"
        row = context.connection.execute(
            "insert into chaos.aggregates (id, number) values (%s, 1) on conflict (id) "
            "do update set number = chaos.aggregates.number + 1 returning number",
            (mirrored,),
        ).fetchone()
        assert row is not None
        context.publish(Copied(mirrored, number=row[0], of=context.event_id))
    _meet_fate(event, context)


def _act(event: Posted | Copied, context: Context) -> None:
    record = context.record
    context.connection.execute(
        "insert into chaos.effects (group_name, event_id, aggregate_id, number, attempt, topic, "
        "partition, kafka_offset) values (%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            context.group, context.event_id, event.aggregate_id, event.number, context.attempt,
            record.topic, record.partition, record.offset,
        ),
    )  # fmt: skip


def _meet_fate(event: Posted | Copied, context: Context) -> None:
    fate = fate_of(event.aggregate_id, event.number)
    if fate.group != context.group or 0 <= fate.failures < context.attempt:
        return
    if fate.is_doomed and context.connection.execute("select 1 from chaos.fixed").fetchone():
        return
    if fate.failures == AT_ONCE:
        raise Fatal("this event fails for good")
    raise HandlerBroke(f"failure {context.attempt} of {fate.failures}")
