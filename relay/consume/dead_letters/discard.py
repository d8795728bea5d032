"""Discards dead letters that an operator decided nobody need handle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from relay.consume import inbox
from relay.consume.dead_letters.store import RELAY, DeadLetter
from relay.postgres.sqlfile import load

__all__ = ["discard"]


def discard(
    connection: psycopg.Connection[Any],
    dead_letters: Sequence[DeadLetter],
    reason: str | None = None,
) -> tuple[list[DeadLetter], list[DeadLetter]]:
    """Discards dead letters for good: (discarded, refused).

    reason: kept with each; required for what the relay could not publish, since its aggregate's
    later events then go on without it. Refused are those without one, and events that are being
    retried now. The event keeps its flag: nobody handled it.
    """
    discarded: list[DeadLetter] = []
    refused: list[DeadLetter] = []
    for each in dead_letters:
        act = _discard_unpublished if each.group_name == RELAY else _discard_of_group
        (discarded if act(connection, each, reason) else refused).append(each)
    return discarded, refused


def _discard_unpublished(
    connection: psycopg.Connection[Any], dead_letter: DeadLetter, reason: str | None
) -> bool:
    """Whether it was dead; a reason is given; and the shard's worker is asked to pass it."""
    if reason is None:
        return False
    parameters = {"event_id": dead_letter.event_id, "reason": reason}
    return bool(connection.execute(load(__package__, "discard_hold.sql"), parameters).rowcount)


def _discard_of_group(
    connection: psycopg.Connection[Any], dead_letter: DeadLetter, reason: str | None
) -> bool:
    """Whether the dead letter is discarded now. Its key's lock keeps a replay from being parked
    between the check and the change; an event of the key that is being handled is waited for."""
    assert dead_letter.topic is not None
    assert dead_letter.key is not None
    with connection.transaction():
        inbox.wait_for_key(connection, dead_letter.group_name, dead_letter.topic, dead_letter.key)
        return bool(
            connection.execute(
                load(__package__, "discard.sql"),
                {
                    "group": dead_letter.group_name,
                    "event_id": dead_letter.event_id,
                    "reason": reason,
                },
            ).rowcount
        )
