"""Which event types a group has handlers for, in all of its members.

While a deployment adds a handler, members of both kinds have partitions. What the others would pass
over, since they have no handler for it, is lost for the group: its offset is committed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import psycopg

from relay.consume.session import Session, Stopped
from relay.postgres.sqlfile import load

__all__ = ["Subscriptions"]

ASSERT_EVERY_S: Final = 60.0
# After this time without a member that handles it, a type is skipped again.
FORGET_AFTER: Final = timedelta(minutes=10)


class Subscriptions:
    """Belongs to the session's thread. event_types: of this member."""

    def __init__(self, group: str, event_types: Iterable[str], session: Session) -> None:
        self._given = {
            "group": group,
            "event_types": sorted(event_types),
            "forget_after": FORGET_AFTER,
        }
        self._session = session
        self._assert_again_at = 0.0

    def assert_if_due(self) -> None:
        """Says which types this member handles, once a minute."""
        if time.monotonic() < self._assert_again_at:
            return
        with suppress(Stopped):
            self._session.run(self._assert)
            self._assert_again_at = time.monotonic() + ASSERT_EVERY_S

    def _assert(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute(load(__package__, "assert_subscriptions.sql"), self._given)
