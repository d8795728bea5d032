"""Discards dead letters: a person decided that the group need not handle them any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from relay.consume import inbox
from relay.consume.dead_letters.store import RELAY, DeadLetter
from relay.postgres.sqlfile import load

__all__ = ["discard"]


def discard(
    connection: psycopg.Connection[Any], dead_letters: Sequence[DeadLetter]
) -> tuple[list[DeadLetter], list[DeadLetter]]:
    """Discards dead letters for good: (discarded, refused).

    Refused is what is being tried again now, and what the relay could not publish, since leaving
    it out would break its aggregate's order. The event keeps its flag: the group never handled it.
    """
    discarded: list[DeadLetter] = []
    refused: list[DeadLetter] = []
    for each in dead_letters:
        done = each.group_name != RELAY and _discard(connection, each)
        (discarded if done else refused).append(each)
    return discarded, refused


def _discard(connection: psycopg.Connection[Any], dead_letter: DeadLetter) -> bool:
    """Whether the dead letter is discarded now. Its key's lock keeps a replay from being parked
    between the check and the change; an event of the key that is being handled is waited for."""
    assert dead_letter.topic is not None
    assert dead_letter.key is not None
    with connection.transaction():
        inbox.lock_key(connection, dead_letter.group_name, dead_letter.topic, dead_letter.key)
        return bool(
            connection.execute(
                load(__package__, "discard.sql"),
                {"group": dead_letter.group_name, "event_id": dead_letter.event_id},
            ).rowcount
        )
